//! Many small worlds, each from a seed. `MP_SIM_SEED` runs one, `MP_SIM_WORLDS` says how many.

use super::super::{Event, Why};
use super::world::{Seen, World};
use crate::clock::Time;
use crate::ids::{JobId, WorkerId};
use std::time::Duration;

const WORLDS: u64 = 10_000;

#[test]
fn every_item_is_accounted_for_once_in_every_world() {
    let number = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().expect("a number"));
    if let Some(seed) = number("MP_SIM_SEED") {
        run(seed);
        return;
    }
    let worlds = number("MP_SIM_WORLDS").unwrap_or(WORLDS);
    let mut seen = Seen::default();
    for seed in 0..worlds {
        let guard = SayWhich(seed);
        for (what, times) in run(seed).0 {
            *seen.0.entry(what).or_default() += times;
        }
        std::mem::forget(guard);
    }
    println!("{seen:#?}");
    let never: Vec<_> = seen.0.iter().filter(|(_, times)| **times == 0).collect();
    assert!(worlds < WORLDS || never.is_empty(), "this never happened: {never:?}");
}

/// Prints the seed if its world fails.
struct SayWhich(u64);

impl Drop for SayWhich {
    fn drop(&mut self) {
        eprintln!("failed with MP_SIM_SEED={}", self.0);
    }
}

fn run(seed: u64) -> Seen {
    let mut world = World::new(seed);
    world.feed(Event::Tick);
    for _ in 0..world.random.below(200) {
        anything(&mut world);
    }
    // From here on nothing goes wrong any more, and everything must come to an end.
    world.deadly = false;
    for job in open_jobs(&world) {
        if !world.books.jobs[&job].sealed {
            world.feed(Event::Sealed { job });
        }
    }
    let endless = world.kind == 2;
    if !endless {
        settle(&mut world);
        assert_eq!(world.scheduler.pending(), 0, "nothing can happen, and jobs are pending");
    }
    match world.random.below(2) {
        0 if !endless => world.feed(Event::Closed),
        _ => {
            let grace = Duration::from_millis(world.random.below(20));
            world.feed(Event::Stopped { grace, why: Why::Terminated });
        }
    }
    settle(&mut world);
    assert!(world.scheduler.is_over(), "the pool does not end");
    assert_eq!(world.scheduler.next_deadline(), None);
    assert!(world.books.jobs.values().all(|job| job.finished));
    world.seen
}

/// One random thing.
fn anything(world: &mut World) {
    let worker = WorkerId(world.random.below(world.processes.len() as u64) as u32);
    match world.random.below(100) {
        0..7 => world.submit(),
        7..12 => user_changes(world),
        12..13 if world.random.one_in(3) => stop_or_close(world),
        13..16 if world.deadly => world.die(worker),
        16..26 => pass(world),
        26..60 => {
            world.listen(worker);
        }
        _ => {
            world.advance(worker);
        }
    }
}

fn user_changes(world: &mut World) {
    let jobs = open_jobs(world);
    if jobs.is_empty() {
        return;
    }
    let job = jobs[world.random.below(jobs.len() as u64) as usize];
    let book = &world.books.jobs[&job];
    let (sealed, offered) = (book.sealed, book.items.len() as u64);
    match world.random.below(3) {
        0 if !sealed => world.offer(job),
        1 if !sealed => world.feed(Event::Sealed { job }),
        _ => {
            let start = world.random.below(offered + 1);
            let end = if world.random.one_in(2) { start + 1 } else { u64::MAX };
            world.feed(Event::Cancelled { job, items: start..end });
        }
    }
}

fn stop_or_close(world: &mut World) {
    if world.random.one_in(2) {
        world.feed(Event::Closed);
    } else {
        let grace = Duration::from_micros(world.random.below(20_000) * world.random.below(2));
        world.feed(Event::Stopped { grace, why: Why::Interrupted });
    }
}

/// Time goes on, a little or to the next thing that happens by itself.
fn pass(world: &mut World) {
    let step = 1 << world.random.below(22);
    world.now = world.now + Duration::from_nanos(step);
    if world.random.one_in(3)
        && let Some(next) = world.next_time().filter(|next| next.0 < 1 << 50)
    {
        world.now = world.now.max(next);
    }
    tick(world);
}

fn tick(world: &mut World) {
    if world.scheduler.next_deadline().is_some_and(|deadline| deadline <= world.now) {
        world.feed(Event::Tick);
        let next = world.scheduler.next_deadline();
        assert!(next.is_none_or(|next| next > world.now), "a tick at {:?} leaves {next:?}", world.now);
    }
}

/// Lets everything happen that can, until nothing does.
fn settle(world: &mut World) {
    for _ in 0..100_000 {
        let mut moved = false;
        for worker in ids(world) {
            moved |= world.advance(worker);
            moved |= world.listen(worker);
        }
        if moved {
            continue;
        }
        match world.next_time() {
            Some(next) if next < Time(1 << 59) => {
                world.now = world.now.max(next);
                tick(world);
            }
            _ => return,
        }
    }
    panic!("the world does not come to rest: {:?}", world.scheduler);
}

fn ids(world: &World) -> impl Iterator<Item = WorkerId> + use<> {
    (0..world.processes.len() as u32).map(WorkerId)
}

fn open_jobs(world: &World) -> Vec<JobId> {
    let mut jobs: Vec<JobId> =
        world.books.jobs.iter().filter(|(_, job)| !job.finished).map(|(id, _)| *id).collect();
    jobs.sort();
    jobs
}
