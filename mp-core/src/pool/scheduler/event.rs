//! What the scheduler is told.

use crate::ids::{CallSeq, JobId, WorkerId};
use std::ops::Range;
use std::time::Duration;

/// Something that happened outside. The driver feeds events in the order in which it saw them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A new job, in a place of the job table that is free; places are used densely. Items `0..items` can be
    /// dispatched; more may be offered until it is sealed.
    Submitted { job: JobId, items: u64, sealed: bool, on_failure: OnFailure },
    /// `items` more items of a job can be dispatched; their numbers follow on those before. Quiet for a finished job.
    Offered { job: JobId, items: u64 },
    /// No more items will be offered.
    Sealed { job: JobId },
    /// Nobody wants these items any more: drop those that no worker has started. A range past the end is clipped.
    ///
    /// The driver learns which were dropped from [`Dropped`](super::Action::Dropped): what waits is dropped in this
    /// step; what stands behind another call at a worker is revoked in this step and dropped in that of the
    /// [`Revoked`](Self::Revoked). What then has no `Dropped` runs, and will have a `Complete` or `Lost`
    /// ([`Scheduler::is_started`](super::Scheduler::is_started) tells the same).
    Cancelled { job: JobId, items: Range<u64> },
    /// A worker said hello; its initializer runs now.
    Greeted { worker: WorkerId },
    /// A worker finished its initializer and takes calls.
    Ready { worker: WorkerId },
    /// A worker's initializer failed. The driver keeps the report.
    InitializerFailed { worker: WorkerId },
    /// The oldest `calls` calls of a worker that are still out returned: items of one job that were handed over together
    /// ([`Scheduler::front_run`](super::Scheduler::front_run)). Workers run their calls in order.
    Returned { worker: WorkerId, calls: u64 },
    /// The oldest call of a worker that is still out failed.
    Failed { worker: WorkerId },
    /// The driver could not hand over the calls from `from` on (the ring is full, or the worker was caught breaking the
    /// protocol and dies). They were not written, and their
    /// numbers will be used again; later `Dispatch` actions of the same step for this worker are refused with them. A
    /// worker that has nothing out may refuse only for a moment: it is asked again by time.
    Refused { worker: WorkerId, from: CallSeq },
    /// The driver carried out an [`Action::Revoke`](super::Action::Revoke): the worker will surely not run the calls from
    /// `from` on, which is the call of the action or a later one if the worker was faster. Fed in at once, before any
    /// `Skipped` of this worker; every revoke has exactly one, unless the worker dies.
    Revoked { worker: WorkerId, from: CallSeq },
    /// The worker passed the revoked calls. It ran the calls before `from` and none from there on, and all outcomes
    /// before `from` were fed in before: nothing is out now. `from` is that of `Revoked`, or less: the worker goes on
    /// while the driver looks how far it has come, and may have declined any of the calls that were left to it. Every
    /// revoke has exactly one, unless the worker dies.
    Skipped { worker: WorkerId, from: CallSeq },
    /// A worker is gone; what it had published was fed in before. `running` is the call that it had started and not
    /// ended, as far as its recorder tells: one whose outcome was fed in means that it died before it cleared the
    /// recorder and ran nothing. If what it published could not be taken, it is the last call that it started: no outcome of those
    /// before it is known. `handed_back`: it ended itself, as it had no room for what goes with a call.
    Died { worker: WorkerId, running: Option<CallSeq>, handed_back: bool },
    /// The process of a worker could not be started.
    SpawnFailed { worker: WorkerId },
    /// `close`: no new jobs; workers leave when everything is done.
    Closed,
    /// `terminate`, drop, Ctrl-C: drop what has not started, let running calls go on for `grace`, then kill.
    Stopped { grace: Duration, why: Why },
    /// Nothing happened but time: all that the driver could see until now was fed in before. Only a tick finds that
    /// somebody is late.
    Tick,
}

/// What the failure of an item means for the rest of its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Later items that have not started are dropped; earlier ones still run, so that the failure that is reported
    /// is the one a plain loop would meet first.
    StopLater,
    /// The same, but the job is not over before each of its items is: those that run on have something of the caller's.
    CancelLater,
    /// Every item runs.
    Continue,
}

/// Why a pool stopped before its work was done, or an item was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// An earlier item of its job failed.
    EarlierFailure,
    /// The caller cancelled it.
    Cancelled,
    /// The pool was terminated or dropped.
    Terminated,
    /// The pool was closed before the job came.
    Closed,
    /// Ctrl-C.
    Interrupted,
    /// Workers died too fast without finishing anything.
    CrashLoop,
    /// The initializer failed.
    InitializerFailed,
}
