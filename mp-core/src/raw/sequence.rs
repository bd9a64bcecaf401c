//! The words of a condition variable: how often was notified, and how many may be asleep.
//!
//! ```text
//!  wait    (lock held) seen = times ─► unlock ─► sleepers + 1 ─► fence ─► sleep while times = seen ─► sleepers - 1 ─► lock
//!  notify  times + 1 ───────────────────────────────────────────► fence ─► sleepers? wake n
//! ```
//! The fences see to it that a sleeper and a notification do not miss each other, as in `sleep`. A waiter that is killed
//! stays counted in `sleepers`, which costs later notifications a system call. One that was woken and is killed may have
//! taken the place of another: the others look again, see that `times` has changed, and go on.

use super::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};
use super::word::{Deadline, FutexWord};

/// A condition variable.
#[repr(C)]
#[derive(Debug, Default)]
pub struct SequenceWords {
    times: FutexWord,
    sleepers: AtomicU32,
}

impl SequenceWords {
    /// How often was notified: read it under the lock, before the condition is tested.
    pub fn times(&self) -> u32 {
        // PAIR: none; the user's lock orders it.
        self.times.load(Relaxed)
    }

    /// Waits for a notification after the first `seen`; false if the deadline passed first.
    pub fn wait(&self, seen: u32, deadline: Deadline) -> bool {
        loop {
            // PAIR: `notify`.
            if self.times.load(Acquire) != seen {
                return true;
            }
            if deadline.has_passed() {
                return false;
            }
            // PAIR: `notify` looks at it after its fence.
            self.sleepers.fetch_add(1, Relaxed);
            fence(SeqCst);
            self.times.sleep(seen, deadline);
            self.sleepers.fetch_sub(1, Relaxed);
        }
    }

    /// Wakes up to `count` waiters.
    pub fn notify(&self, count: u32) {
        // PAIR: `wait`.
        self.times.fetch_add(1, Release);
        // PAIR: the fence of `wait`: either we see the sleeper, or it sees the new number and does not sleep.
        fence(SeqCst);
        if self.sleepers.load(Relaxed) != 0 {
            self.times.wake(count);
        }
    }
}

#[cfg(all(test, loom))]
#[path = "sequence_tests.rs"]
mod tests;
