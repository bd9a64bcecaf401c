//! How many calls a worker may hold: enough to keep it busy until it can be refilled, and no more.

use super::jobs::Next;
use super::policy::Policy;
use super::workers::Worker;
use crate::limits::{
    CALLS_OUT_MAX, RATE_WINDOW, REFILL_AT_ONCE, SEEN_ENOUGH, SHARE_TIME_MIN, WIDE_FROM, WIDEN_AFTER,
};
use std::num::NonZeroU64;
use std::time::Duration;

/// How long an item takes, measured as a sum over many: time stamps are coarse, and a hundred outcomes may carry the
/// same one.
#[derive(Default, Debug)]
pub(super) struct Rate {
    busy_ns: u64,
    /// Items, in parts of `PARTS`, because older ones count less and less.
    ended: u64,
    /// All items that ended so far.
    seen: u64,
}

impl Rate {
    const PARTS: u64 = 1 << 16;

    /// A worker was busy for so long before the outcomes that are counted next.
    pub(super) fn add_busy(&mut self, busy: Duration) {
        const WINDOW_NS: u64 = nanos(RATE_WINDOW);
        /// More than an hour, and few enough bits for the products here and below.
        const BUSY_MAX_NS: u64 = 1 << 42;
        const ENDED_MAX: u64 = Rate::PARTS << 20;
        // What lies further back than the window fades, however wrong it was.
        if self.busy_ns > WINDOW_NS {
            self.ended = (self.ended.min(ENDED_MAX) * WINDOW_NS / self.busy_ns).max(1);
            self.busy_ns = WINDOW_NS;
        } else if self.ended > ENDED_MAX {
            self.ended /= 2;
            self.busy_ns /= 2;
        }
        self.busy_ns += nanos(busy).min(BUSY_MAX_NS);
    }

    /// Items ended.
    pub(super) fn count(&mut self, items: u64) {
        self.ended += Self::PARTS * items;
        self.seen = self.seen.saturating_add(items);
    }

    /// Whether an item takes so long that a worker more is worth its wake-up, whoever else runs. The first items of a job
    /// wait for workers to wake up, and seem longer than they are.
    pub(super) fn is_long(&self) -> bool {
        let long = if self.seen < SEEN_ENOUGH { WIDEN_AFTER } else { WIDE_FROM };
        self.each().is_some_and(|each| each >= nanos(long))
    }

    /// Whether it is known how long an item takes.
    pub(super) fn is_settled(&self) -> bool {
        self.seen >= SEEN_ENOUGH
    }

    /// Nanoseconds per item, at least 1; `None` before the first.
    pub(super) fn each(&self) -> Option<u64> {
        (self.ended > 0).then(|| (self.busy_ns * Self::PARTS / self.ended).max(1))
    }
}

/// What one refill has to keep to.
pub(super) struct Credit {
    /// Work that the worker holds, in nanoseconds.
    work_ns: u64,
    /// Calls out at this worker.
    out_max: u64,
    /// Calls in the life of a worker.
    calls_max: u64,
    /// Items of a job that a worker gets when it has nothing to do, and not before.
    chunk: Option<u64>,
}

impl Credit {
    /// The end of the line is shared: nobody takes more than half of an equal share of what waits.
    pub(super) fn new(waiting: u64, workers: u64, policy: &Policy) -> Self {
        Self {
            work_ns: nanos(policy.credit),
            out_max: waiting / (2 * workers) + 1,
            calls_max: policy.max_tasks_per_worker.map_or(u64::MAX, NonZeroU64::get),
            chunk: policy.chunk.map(NonZeroU64::get),
        }
    }

    /// How many of the items that are next the worker may get on top of what it has.
    pub(super) fn room(&self, worker: &Worker, next: Next) -> u64 {
        let room = match self.chunk {
            Some(_) if next.of_many && worker.out() > 0 => 0,
            Some(chunk) if next.of_many => chunk,
            Some(_) | None => self.room_measured(worker.out(), worker.backlog(), next.each),
        };
        room.min(self.calls_max.saturating_sub(worker.numbered()))
    }

    /// How many items that take `each` fit behind those that are out.
    fn room_measured(&self, out: u64, backlog: u64, each: Option<u64>) -> u64 {
        let by_time = match each {
            // Nobody knows what comes after the first: do not put anything in line with it.
            None => u64::from(out == 0),
            Some(each) => (self.work_ns.saturating_sub(backlog) / each).max(2_u64.saturating_sub(out)),
        };
        // A hand-over costs about a microsecond, and a worker that runs dry two switches: what takes less than this is
        // not worth sharing more finely.
        let out_max = each.map_or(self.out_max, |each| self.out_max.max(nanos(SHARE_TIME_MIN) / each));
        by_time.min(out_max.min(CALLS_OUT_MAX).saturating_sub(out))
    }

    /// What an item adds to the backlog of its worker: one of unknown length fills it.
    pub(super) fn charge(&self, each: Option<u64>) -> u64 {
        each.unwrap_or(self.work_ns)
    }
}

/// At how many calls out a worker that now has `out` is refilled: short items in batches, long ones one by one.
pub(super) fn refill_at(each: Option<u64>, out: u64) -> u64 {
    match each {
        None => 0,
        Some(each) if each >= nanos(REFILL_AT_ONCE) => out.saturating_sub(1),
        Some(_) => out / 2,
    }
}

const fn nanos(time: Duration) -> u64 {
    time.as_nanos() as u64
}
