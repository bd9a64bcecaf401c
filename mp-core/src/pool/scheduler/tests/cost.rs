//! A million of anything is as cheap per item as a thousand: counted in lengths, not in seconds.

use super::super::{Action, Event, Scheduler};
use super::table::{A, policy, submitted};
use crate::clock::Time;
use crate::ids::{JobId, WorkerId};

const MANY: u64 = 1_000_000;

/// A pool whose workers run everything in 1 µs; returns how many dispatches that took.
fn drain(scheduler: &mut Scheduler, workers: u32) -> u64 {
    let mut actions = Vec::new();
    let (mut now, mut dispatches, mut done) = (1000, 0, 0);
    while scheduler.pending() > 0 {
        now += 1000;
        for worker in (0..workers).map(WorkerId) {
            if scheduler.out(worker) > 0 {
                scheduler.step(Event::Returned { worker, calls: 1 }, Time(now), &mut actions);
                done += 1;
            }
        }
        dispatches +=
            actions.iter().filter(|action| matches!(action, Action::Dispatch { .. })).count() as u64;
        actions.clear();
    }
    assert_eq!(done, MANY);
    dispatches
}

fn ready(workers: u32) -> Scheduler {
    let mut scheduler = Scheduler::new(policy(workers as usize));
    let mut actions = Vec::new();
    for worker in (0..workers).map(WorkerId) {
        scheduler.step(Event::Tick, Time(0), &mut actions);
        scheduler.step(Event::Ready { worker }, Time(0), &mut actions);
    }
    scheduler
}

#[test]
fn a_map_of_a_million_items_needs_few_dispatches() {
    let mut scheduler = ready(2);
    scheduler.step(submitted(A, MANY), Time(0), &mut Vec::new());
    assert_eq!(scheduler.waiting(), MANY - 2);
    let dispatches = drain(&mut scheduler, 2);
    assert!(dispatches < MANY / 200, "{dispatches} dispatches");
}

#[test]
fn a_million_jobs_of_one_item_wait_and_are_run() {
    let mut scheduler = ready(2);
    let mut actions = Vec::new();
    for slot in 0..MANY as u32 {
        scheduler.step(submitted(JobId { slot, generation: 0 }, 1), Time(0), &mut actions);
        assert!(actions.len() <= 2, "a busy pool only takes note of a job");
    }
    assert_eq!((scheduler.pending() as u64, scheduler.waiting()), (MANY, MANY - 2));
    assert_eq!(drain(&mut scheduler, 2), MANY - 2);
}

#[test]
fn many_workers_share_a_map_to_its_end() {
    let mut scheduler = ready(256);
    scheduler.step(submitted(A, MANY), Time(0), &mut Vec::new());
    let dispatches = drain(&mut scheduler, 256);
    assert!(dispatches < MANY / 50, "{dispatches} dispatches");
}
