//! The word of an event: set or not, how often it was set, and whether somebody sleeps.
//!
//! ```text
//!  31                      2     1       0
//!  ┌────────────────────────┬──────────┬─────┐
//!  │ round: times it was set │ sleepers │ set │
//!  └────────────────────────┴──────────┴─────┘
//! ```
//! | from | by | to |
//! |---|---|---|
//! | not set | `set` | set, next round, no sleepers; it wakes all if there were |
//! | set | `clear` | not set, the same round |
//! | not set | `wait` | sleepers; and sleeps on that very value |
//!
//! A waiter ends when the event is set or the round is another one than when it came: so it also sees an event that is
//! set and cleared before it has woken up. A waiter that is killed leaves at worst a wake-up that nobody needs.

use super::atomic::Ordering::{Acquire, Relaxed, Release};
use super::word::{Deadline, FutexWord};

const SET: u32 = 1;
const SLEEPERS: u32 = 2;
const ROUND: u32 = 4;

/// An event. All-zero bytes are one that is not set.
#[repr(C)]
#[derive(Debug, Default)]
pub struct EventWord(FutexWord);

impl EventWord {
    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        // PAIR: `set` releases what was done before it.
        self.0.load(Acquire) & SET != 0
    }

    /// Sets it and wakes everybody.
    pub fn set(&self) {
        // PAIR: `wait` and `is_set` acquire.
        let set = self.0.fetch_update(Release, Relaxed, |now| {
            (now & SET == 0).then(|| (now & !SLEEPERS).wrapping_add(ROUND) | SET)
        });
        if set.is_ok_and(|before| before & SLEEPERS != 0) {
            self.0.wake_all();
        }
    }

    /// Makes it not set. Waiters for whom it was set before go on all the same.
    pub fn clear(&self) {
        // PAIR: none; it publishes nothing. As it changes the word in place, a waiter still acquires from `set`.
        self.0.fetch_and(!SET, Relaxed);
    }

    /// Waits until it is set; false if the deadline passed first.
    pub fn wait(&self, deadline: Deadline) -> bool {
        // PAIR: `set` releases.
        let mut now = self.0.load(Acquire);
        let round = now / ROUND;
        loop {
            if now & SET != 0 || now / ROUND != round {
                return true;
            }
            if deadline.has_passed() {
                return false;
            }
            let asleep = now | SLEEPERS;
            // PAIR: `set` swaps the flag away and owes the wake-up.
            if now == asleep || self.0.compare_exchange(now, asleep, Relaxed, Relaxed).is_ok() {
                self.0.sleep(asleep, deadline);
            }
            now = self.0.load(Acquire);
        }
    }
}

#[cfg(all(test, loom))]
#[path = "event_tests.rs"]
mod tests;
