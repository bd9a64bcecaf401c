//! When to give up on workers that keep dying.

use super::policy::Restart;
use crate::clock::Time;
use crate::limits::{SPAWN_RETRY_MAX, SPAWN_RETRY_MIN};
use std::collections::VecDeque;
use std::time::Duration;

/// The deaths since the last outcome.
#[derive(Debug)]
pub(super) struct Deaths {
    policy: Restart,
    recent: VecDeque<Time>,
    /// Workers that died before they were ready, since one was ready.
    stillborn: u32,
}

impl Deaths {
    pub(super) fn new(policy: Restart) -> Self {
        Self { policy, recent: VecDeque::new(), stillborn: 0 }
    }

    /// An item ended on a worker: whatever killed the others does not kill all.
    pub(super) fn forget(&mut self) {
        self.recent.clear();
    }

    /// A worker is ready: it can be done.
    pub(super) fn one_is_ready(&mut self) {
        self.stillborn = 0;
    }

    /// Counts the death of a worker that never was ready, or of a start that failed. True if so many came one after the
    /// other, however slowly, that there is no sense in waiting for the next one.
    pub(super) fn add_stillborn(&mut self) -> bool {
        self.stillborn = self.stillborn.saturating_add(1);
        self.stillborn > self.policy.at_most
    }

    /// Counts a death. True if it is one too many.
    pub(super) fn add(&mut self, now: Time) -> bool {
        while self.recent.front().is_some_and(|death| now.since(*death) > self.policy.per) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.recent.len() > self.policy.at_most as usize
    }

    /// How long to wait after a spawn that failed: the tries that are borne just fill the window.
    pub(super) fn spawn_retry(&self) -> Duration {
        (self.policy.per / self.policy.at_most.saturating_add(1)).clamp(SPAWN_RETRY_MIN, SPAWN_RETRY_MAX)
    }
}
