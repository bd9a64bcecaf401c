//! What the scheduler wants done.

use super::event::Why;
use crate::ids::{CallSeq, JobId, WorkerId};
use std::ops::Range;

/// Something the driver has to carry out, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a process (or thread) for this place; answered by `Greeted` + `Ready`, `SpawnFailed` or `Died`.
    Spawn { worker: WorkerId },
    /// Hand these items to a worker as calls `seq`, `seq + 1`, ...; `Refused` says which of them did not fit.
    Dispatch { worker: WorkerId, job: JobId, items: Range<u64>, seq: CallSeq },
    /// Take back all calls from `from` to the last one dispatched that the worker has not started. The driver publishes
    /// the request and feeds back [`Revoked`](super::Event::Revoked) at once; the worker answers
    /// [`Skipped`](super::Event::Skipped) as soon as it ends its running call. Until then nothing is dispatched to it.
    Revoke { worker: WorkerId, from: CallSeq },
    /// Ask a worker to leave: it ends the calls that it has, runs its finalizer and exits (`Died` follows). It may come
    /// before `Greeted` or `Ready`: the worker then leaves as soon as it can.
    Quit { worker: WorkerId },
    /// End a worker by force (`Died` follows). Like `Quit`, it is void if the start of the process has failed and the
    /// `SpawnFailed` is still on its way.
    Kill { worker: WorkerId },
    /// The outcomes that were just fed in belong to these items. It is the only action that may come for a finished job,
    /// and the driver then throws the outcomes away.
    Complete { job: JobId, items: Range<u64> },
    /// This item was running when its worker died. The driver makes a `WorkerLost` of it. It may come for an item after
    /// the first failure of a `StopLater` job, as `Complete` may.
    Lost { job: JobId, item: u64, worker: WorkerId },
    /// These items will never run.
    Dropped { job: JobId, items: Range<u64>, why: Why },
    /// Every item of the job is accounted for (or, after a failure with `StopLater`, every item up to the first failure:
    /// later ones that are still at workers are not heard of again, but for their `Complete`). It comes once and last
    /// for its job, and the place in the job table is free.
    Finished { job: JobId },
    /// The pool takes no more jobs, for this reason; everything that waited has been dropped above, and what is at
    /// workers will be completed or dropped. It comes at most once, and not for a pool that was only closed.
    Ended { why: Why },
}
