//! How many workers have short items at once: as many as there are processors. One more would take a processor from
//! another, and costs two wake-ups. What is not short is given to all: it may sleep, or wait for something.
//!
//! Nobody knows beforehand which items are short. Who has not answered for a while is taken for one that waits and needs
//! no processor: as many others, and at least as many as there are processors, get something to do in addition. So items
//! that wait for each other are soon all out.

use super::credit::Rate;
use super::machine::Scheduler;
use super::workers::Worker;
use crate::clock::Time;
use crate::limits::{TURN, TURNS_MAX, WIDEN_AFTER};
use std::time::Duration;

impl Scheduler {
    /// How many workers share what is next in line.
    pub(super) fn sharers(&self) -> usize {
        let all = self.workers.count();
        if self.jobs.next_of_many().is_none_or(Rate::is_long) { all } else { all.min(self.width) }
    }

    /// Whether a worker that has nothing to do is to get what is next in line.
    pub(super) fn is_room(&self) -> bool {
        self.workers.busy() < self.sharers()
    }

    /// Whether a worker that has something to do is to get more.
    pub(super) fn is_within(&self) -> bool {
        self.workers.busy() <= self.sharers()
    }

    /// Somebody has nothing to do because there is no room.
    pub(super) fn ask_for_room(&mut self, now: Time) {
        if self.widen_at == Time(u64::MAX) {
            self.widen_at = now + self.patience();
        }
    }

    /// Counts who has not answered for long, and makes room for as many.
    pub(super) fn widen(&mut self) {
        let patience = self.patience();
        let late = |worker: &Worker| worker.out() > 0 && worker.front_since + patience <= self.heard_until;
        let late = self.workers.iter().filter(|(_, worker)| late(worker)).count();
        let processors = self.policy.processors.get();
        self.width = processors.max(late).saturating_add(late);
        self.widen_at = Time(u64::MAX);
    }

    /// Nobody has anything to do: what was learnt was about other jobs.
    pub(super) fn narrow(&mut self) {
        self.width = self.policy.processors.get();
        self.widen_at = Time(u64::MAX);
    }

    /// How long a worker may take before it is taken for one that waits. Of items that are known to be short one that
    /// takes long has most likely not had a processor: each that shares it with others may have had its turn before.
    fn patience(&self) -> Duration {
        let settled = self.jobs.next_of_many().is_some_and(Rate::is_settled);
        let turns = self.workers.busy().div_ceil(self.policy.processors.get()).clamp(1, TURNS_MAX);
        if settled { TURN * turns as u32 } else { WIDEN_AFTER }
    }
}
