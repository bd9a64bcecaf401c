//! The state of the scheduler, its one step, and what the driver may ask.

use super::action::Action;
use super::event::{Event, Why};
use super::jobs::Jobs;
use super::policy::Policy;
use super::restart::Deaths;
use super::work::Ending;
use super::workers::{Recall, State, WorkerState, Workers};
use crate::clock::Time;
use crate::ids::{CallSeq, JobId, WorkerId};
use std::ops::Range;

/// The life of a pool; see the table in the module's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Jobs are taken.
    Open,
    /// No new jobs; those there are go on.
    Closing,
    /// All jobs are finished; workers were asked to leave.
    Leaving,
    /// The pool was stopped or gave up; only calls that run go on, until the grace is over.
    Ended(Why),
}

impl Phase {
    /// Why the pool drops what has not started, if it does.
    pub(super) fn ended(self) -> Option<Why> {
        match self {
            Self::Open | Self::Closing | Self::Leaving => None,
            Self::Ended(why) => Some(why),
        }
    }
}

/// Decides what a pool does. It has no clock, no threads and does no I/O: [`step`](Self::step) is a function of its
/// state, an event and the time.
///
/// The driver gives each event to `step`, in the order in which they happened, and carries out the actions in the order
/// in which they come. When it has fed all that it can see and [`next_deadline`](Self::next_deadline) has passed, it feeds
/// an [`Event::Tick`]. The first step starts the workers.
#[derive(Debug)]
pub struct Scheduler {
    pub(super) policy: Policy,
    pub(super) phase: Phase,
    pub(super) jobs: Jobs,
    pub(super) workers: Workers,
    pub(super) deaths: Deaths,
    /// Everything that had happened until then was fed in: nobody is late because we did not listen.
    pub(super) heard_until: Time,
    /// When everybody is killed, once the phase is `Ended`.
    pub(super) kill_at: Time,
    /// No deadline of a worker is before this.
    pub(super) alarm: Time,
    /// No front call has run for too long before this.
    pub(super) steal_at: Time,
    /// How many workers may have short items at once.
    pub(super) width: usize,
    /// When workers that have not answered for long make room for others; `u64::MAX` while nobody asks for room.
    pub(super) widen_at: Time,
}

impl Scheduler {
    /// A pool whose workers are not started yet.
    pub fn new(policy: Policy) -> Self {
        Self {
            phase: Phase::Open,
            jobs: Jobs::default(),
            workers: Workers::new(policy.workers.get()),
            deaths: Deaths::new(policy.restart),
            width: policy.processors.get(),
            widen_at: Time(u64::MAX),
            policy,
            heard_until: Time(0),
            kill_at: Time(u64::MAX),
            alarm: Time(0),
            steal_at: Time(u64::MAX),
        }
    }

    /// Takes in what happened and appends what is to be done. `now` must not run backwards.
    pub fn step(&mut self, event: Event, now: Time, actions: &mut Vec<Action>) {
        match event {
            Event::Returned { worker, calls } => self.ended(worker, calls, Ending::Returned, now, actions),
            Event::Failed { worker } => self.ended(worker, 1, Ending::Failed, now, actions),
            Event::Submitted { job, items, sealed, on_failure } => {
                self.submitted(job, items, (sealed, on_failure), actions);
            }
            Event::Offered { job, items } => self.offered(job, items, actions),
            Event::Sealed { job } => self.sealed(job, actions),
            Event::Cancelled { job, items } => self.cancelled(job, &items, actions),
            Event::Greeted { worker } => self.greeted(worker),
            Event::Ready { worker } => self.ready(worker, now, actions),
            Event::InitializerFailed { worker } => self.initializer_failed(worker, now, actions),
            Event::Refused { worker, from } => self.refused(worker, from, now, actions),
            Event::Revoked { worker, from } => self.revoked(worker, from, actions),
            Event::Skipped { worker, from } => self.skipped(worker, from, now, actions),
            Event::Died { worker, running, handed_back } => {
                self.died(worker, running, handed_back, now, actions);
            }
            Event::SpawnFailed { worker } => self.spawn_failed(worker, now, actions),
            Event::Closed => self.closed(),
            Event::Stopped { grace, why } => self.stop(grace, why, now, actions),
            Event::Tick => self.heard_until = now,
        }
        if self.phase == Phase::Closing && self.jobs.live() == 0 {
            self.leave(now, actions);
        }
        if now >= self.alarm {
            self.check_deadlines(now, actions);
        }
        self.feed_idle(now, actions);
        if self.heard_until >= self.widen_at {
            self.widen();
            self.feed_idle(now, actions);
        }
        if self.heard_until >= self.steal_at {
            self.steal(actions);
        }
    }

    /// When the driver has to feed an [`Event::Tick`] if nothing else happens before. It may be earlier than needed, and
    /// it may have passed; after the tick it has not.
    pub fn next_deadline(&self) -> Option<Time> {
        let thief = self.jobs.waiting() == 0 && self.workers.idle().is_some();
        let next = if thief { self.alarm.min(self.steal_at) } else { self.alarm };
        let next = next.min(self.widen_at);
        (next.0 < u64::MAX).then_some(next)
    }

    /// Where the pool is in its life.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the pool has stopped and no worker lives.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Leaving | Phase::Ended(_)) && self.workers.live() == 0
    }

    /// How many jobs are not finished.
    pub fn pending(&self) -> usize {
        self.jobs.live()
    }

    /// The job table has no places any more, as no job is left: the next ones will be dense again.
    pub fn give_up_places(&mut self) {
        self.jobs.give_up_places();
    }

    /// How many items wait for a worker, over all jobs.
    pub fn waiting(&self) -> u64 {
        self.jobs.waiting()
    }

    /// What is in a place; `Vacant` for a place that the pool does not have.
    pub fn worker_state(&self, worker: WorkerId) -> WorkerState {
        match self.workers.get(worker).map(|worker| worker.state) {
            None | Some(State::Vacant { .. }) => WorkerState::Vacant,
            Some(State::Starting { .. }) => WorkerState::Starting,
            Some(State::Initializing) => WorkerState::Initializing,
            Some(State::Ready) => WorkerState::Ready,
            Some(State::Quitting { .. }) => WorkerState::Quitting,
            Some(State::Killed { .. }) => WorkerState::Killed,
        }
    }

    /// How many calls are out at a worker.
    pub fn out(&self, worker: WorkerId) -> u64 {
        self.workers.get(worker).map_or(0, super::workers::Worker::out)
    }

    /// Whether a worker owes no answer, neither to a call nor to a revoke.
    pub fn is_silent(&self, worker: WorkerId) -> bool {
        self.workers.get(worker).is_none_or(|worker| worker.out() == 0 && worker.recall == Recall::None)
    }

    /// The number that the next call of a worker will have.
    pub fn next_call(&self, worker: WorkerId) -> CallSeq {
        CallSeq(self.workers.get(worker).map_or(0, super::workers::Worker::numbered) + 1)
    }

    /// The oldest call that is out at a worker: the one that its next outcome belongs to.
    pub fn front(&self, worker: WorkerId) -> Option<(JobId, u64, CallSeq)> {
        self.workers.get(worker)?.front()
    }

    /// The oldest calls that are out at a worker and are items of one job, handed over together; the number of the first.
    pub fn front_run(&self, worker: WorkerId) -> Option<(JobId, Range<u64>, CallSeq)> {
        self.workers.get(worker)?.front_run()
    }

    /// Whether it is too late to take an item back: `None` if it is accounted for or unknown, `Some(false)` while it
    /// waits or stands behind another call, `Some(true)` if a worker runs it or is sure to. Looks at all workers.
    pub fn is_started(&self, job: JobId, item: u64) -> Option<bool> {
        if self.jobs.get(job)?.is_waiting(item) {
            return Some(false);
        }
        let (worker, seq) =
            self.workers.iter().find_map(|(_, worker)| Some((worker, worker.find(job, item)?)))?;
        let front = worker.front().is_some_and(|(_, _, front)| front == seq);
        Some(front || matches!(worker.recall, Recall::Told { .. }))
    }

    /// Makes sure that deadlines are looked at when this time comes.
    pub(super) fn wake_at(&mut self, at: Time) {
        self.alarm = self.alarm.min(at);
    }
}
