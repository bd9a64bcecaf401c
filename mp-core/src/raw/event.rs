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
use super::linger::Linger;
use super::word::{Deadline, FutexWord};

const SET: u32 = 1;
const SLEEPERS: u32 = 2;
const ROUND: u32 = 4;

/// An event. All-zero bytes are one that is not set.
#[repr(C)]
#[derive(Debug, Default)]
pub struct EventWord {
    word: FutexWord,
    linger: Linger,
}

impl EventWord {
    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        // PAIR: `set` releases what was done before it.
        self.word.load(Acquire) & SET != 0
    }

    /// Sets it and wakes everybody.
    pub fn set(&self) {
        // PAIR: `wait` and `is_set` acquire.
        let set = self.word.fetch_update(Release, Relaxed, |now| {
            (now & SET == 0).then(|| (now & !SLEEPERS).wrapping_add(ROUND) | SET)
        });
        if set.is_ok_and(|before| before & SLEEPERS != 0) {
            self.word.wake_all();
        }
    }

    /// Makes it not set. Waiters for whom it was set before go on all the same.
    pub fn clear(&self) {
        // PAIR: none; it publishes nothing. As it changes the word in place, a waiter still acquires from `set`.
        self.word.fetch_and(!SET, Relaxed);
    }

    /// Waits until it is set; false if the deadline passed first.
    pub fn wait(&self, deadline: Deadline) -> bool {
        // PAIR: `set` releases.
        let mut now = self.word.load(Acquire);
        let round = now / ROUND;
        let is_over = |now: u32| now & SET != 0 || now / ROUND != round;
        if !is_over(now) && !deadline.has_passed() {
            self.linger.until(|| {
                // PAIR: the same.
                now = self.word.load(Acquire);
                is_over(now)
            });
        }
        loop {
            if is_over(now) {
                return true;
            }
            if deadline.has_passed() {
                return false;
            }
            let asleep = now | SLEEPERS;
            // PAIR: `set` swaps the flag away and owes the wake-up.
            if now == asleep || self.word.compare_exchange(now, asleep, Relaxed, Relaxed).is_ok() {
                self.word.sleep(asleep, deadline);
            }
            now = self.word.load(Acquire);
        }
    }
}

#[cfg(all(test, loom))]
#[path = "event_tests.rs"]
mod tests;
