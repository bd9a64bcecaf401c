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
}

impl Deaths {
    pub(super) fn new(policy: Restart) -> Self {
        Self { policy, recent: VecDeque::new() }
    }

    /// An item ended on a worker: whatever killed the others does not kill all.
    pub(super) fn forget(&mut self) {
        self.recent.clear();
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
