//! Rows of a table: at this time this event leads to exactly these actions.

use super::super::{Action, Event, OnFailure, Policy, Restart, Scheduler, Why};
use crate::clock::Time;
use crate::ids::{CallSeq, JobId, WorkerId};
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::Range;
use std::time::Duration;

/// Microseconds since the start, the event, the actions.
pub(super) type Row = (u64, Event, Vec<Action>);

/// The credit is 500 µs; three deaths are borne; the grace is 100 ms, the handshake 1 s.
pub(super) fn policy(workers: usize) -> Policy {
    Policy {
        workers: NonZeroUsize::new(workers).expect("not zero"),
        processors: NonZeroUsize::MAX,
        credit: Duration::from_micros(500),
        chunk: None,
        restart: Restart { at_most: 3, per: Duration::from_secs(5) },
        grace: Duration::from_millis(100),
        max_tasks_per_worker: None,
        handshake: Duration::from_secs(1),
    }
}

pub(super) fn recycling(workers: usize, calls: u64) -> Policy {
    Policy { max_tasks_per_worker: NonZeroU64::new(calls), ..policy(workers) }
}

pub(super) fn chunked(workers: usize, items: u64) -> Policy {
    Policy { chunk: NonZeroU64::new(items), ..policy(workers) }
}

/// Runs the rows on a pool whose workers have not been started.
pub(super) fn check_new(policy: Policy, rows: Vec<Row>) -> Scheduler {
    let mut scheduler = Scheduler::new(policy);
    play(&mut scheduler, rows);
    scheduler
}

/// Runs the rows on a pool whose workers became ready at time 0.
pub(super) fn check(policy: Policy, rows: Vec<Row>) -> Scheduler {
    let mut scheduler = Scheduler::new(policy);
    let mut actions = Vec::new();
    scheduler.step(Event::Tick, Time(0), &mut actions);
    for action in actions.clone() {
        let Action::Spawn { worker } = action else { panic!("{action:?}") };
        scheduler.step(Event::Greeted { worker }, Time(0), &mut actions);
        scheduler.step(Event::Ready { worker }, Time(0), &mut actions);
    }
    play(&mut scheduler, rows);
    scheduler
}

pub(super) fn play(scheduler: &mut Scheduler, rows: Vec<Row>) {
    for (number, (micros, event, expected)) in rows.into_iter().enumerate() {
        let mut actions = Vec::new();
        scheduler.step(event.clone(), micros_in(micros), &mut actions);
        assert_eq!(actions, expected, "row {number}: {event:?} at {micros} µs");
    }
}

pub(super) fn micros_in(micros: u64) -> Time {
    Time(micros * 1000)
}

pub(super) const W0: WorkerId = WorkerId(0);
pub(super) const W1: WorkerId = WorkerId(1);
pub(super) const A: JobId = JobId { slot: 0, generation: 0 };
/// The next job in the place of `A`.
pub(super) const A2: JobId = JobId { slot: 0, generation: 1 };
pub(super) const B: JobId = JobId { slot: 1, generation: 0 };

pub(super) fn job(slot: u32) -> JobId {
    JobId { slot, generation: 0 }
}

pub(super) fn submitted(job: JobId, items: u64) -> Event {
    Event::Submitted { job, items, sealed: true, on_failure: OnFailure::Continue }
}

/// A map that stops at the first failure.
pub(super) fn stopping(job: JobId, items: u64) -> Event {
    Event::Submitted { job, items, sealed: true, on_failure: OnFailure::StopLater }
}

/// A job that drops later items at the first failure, and ends with all of them.
pub(super) fn cancelling(job: JobId, items: u64) -> Event {
    Event::Submitted { job, items, sealed: true, on_failure: OnFailure::CancelLater }
}

/// A job to which more items may be offered.
pub(super) fn unsealed(job: JobId, items: u64) -> Event {
    Event::Submitted { job, items, sealed: false, on_failure: OnFailure::StopLater }
}

pub(super) fn returned(worker: WorkerId) -> Event {
    returned_run(worker, 1)
}

pub(super) fn returned_run(worker: WorkerId, calls: u64) -> Event {
    Event::Returned { worker, calls }
}

pub(super) fn failed(worker: WorkerId) -> Event {
    Event::Failed { worker }
}

pub(super) fn cancelled(job: JobId, items: Range<u64>) -> Event {
    Event::Cancelled { job, items }
}

pub(super) fn refused(worker: WorkerId, from: u64) -> Event {
    Event::Refused { worker, from: CallSeq(from) }
}

pub(super) fn revoked(worker: WorkerId, from: u64) -> Event {
    Event::Revoked { worker, from: CallSeq(from) }
}

pub(super) fn skipped(worker: WorkerId, from: u64) -> Event {
    Event::Skipped { worker, from: CallSeq(from) }
}

pub(super) fn died(worker: WorkerId, running: u64) -> Event {
    Event::Died { worker, running: (running > 0).then_some(CallSeq(running)), handed_back: false }
}

pub(super) fn stopped(grace_micros: u64) -> Event {
    Event::Stopped { grace: Duration::from_micros(grace_micros), why: Why::Terminated }
}

pub(super) fn spawn(worker: WorkerId) -> Action {
    Action::Spawn { worker }
}

pub(super) fn dispatch(worker: WorkerId, job: JobId, items: Range<u64>, seq: u64) -> Action {
    Action::Dispatch { worker, job, items, seq: CallSeq(seq) }
}

pub(super) fn revoke(worker: WorkerId, from: u64) -> Action {
    Action::Revoke { worker, from: CallSeq(from) }
}

pub(super) fn quit(worker: WorkerId) -> Action {
    Action::Quit { worker }
}

pub(super) fn kill(worker: WorkerId) -> Action {
    Action::Kill { worker }
}

pub(super) fn complete(job: JobId, item: u64) -> Action {
    complete_run(job, item..item + 1)
}

pub(super) fn complete_run(job: JobId, items: Range<u64>) -> Action {
    Action::Complete { job, items }
}

pub(super) fn lost(job: JobId, item: u64, worker: WorkerId) -> Action {
    Action::Lost { job, item, worker }
}

pub(super) fn dropped(job: JobId, items: Range<u64>, why: Why) -> Action {
    Action::Dropped { job, items, why }
}

pub(super) fn finished(job: JobId) -> Action {
    Action::Finished { job }
}

pub(super) fn ended(why: Why) -> Action {
    Action::Ended { why }
}
