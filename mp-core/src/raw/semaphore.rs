//! The words of a semaphore: how many permits are free, and how many may be asleep.
//!
//! ```text
//!  acquire  take one? ─► look a while? ─► sleepers + 1 ─► fence ─► sleep while free = 0 ─► sleepers - 1 ─► again
//!  release  free + n ──────────────────► fence ─► sleepers? wake n
//! ```
//! As in `sleep`, the fences see to it that a sleeper and a release do not miss each other. `sleepers` is at least the
//! number of those asleep: one that is killed there stays counted, and costs later releases a system call. A woken one
//! that is killed before it takes its permit leaves it free; others look again.

use super::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};
use super::linger::Linger;
use super::word::{Deadline, FutexWord};

/// The most permits, as POSIX has it.
pub const PERMITS_MAX: u32 = i32::MAX as u32;

/// A semaphore.
#[repr(C)]
#[derive(Debug, Default)]
pub struct SemaphoreWords {
    free: FutexWord,
    sleepers: AtomicU32,
    linger: Linger,
}

impl SemaphoreWords {
    /// How many permits are free.
    pub fn value(&self) -> u32 {
        // PAIR: none; it may be out of date at once.
        self.free.load(Relaxed)
    }

    /// Takes a permit if one is free.
    pub fn try_acquire(&self) -> bool {
        // PAIR: `release`.
        self.free.fetch_update(Acquire, Relaxed, |free| free.checked_sub(1)).is_ok()
    }

    /// Takes a permit; false if the deadline passed first.
    pub fn acquire(&self, deadline: Deadline) -> bool {
        if self.try_acquire() {
            return true;
        }
        if deadline.has_passed() {
            return false;
        }
        // PAIR: none, a hint.
        self.linger.until(|| self.free.load(Relaxed) != 0);
        loop {
            if self.try_acquire() {
                return true;
            }
            if deadline.has_passed() {
                return false;
            }
            // PAIR: `release` looks at it after its fence.
            self.sleepers.fetch_add(1, Relaxed);
            fence(SeqCst);
            self.free.sleep(0, deadline);
            self.sleepers.fetch_sub(1, Relaxed);
        }
    }

    /// Adds permits, up to `limit` in all; false, and nothing done, if they would be more.
    pub fn release(&self, count: u32, limit: u32) -> bool {
        let more = |free: u32| free.checked_add(count).filter(|sum| *sum <= limit);
        // PAIR: `try_acquire`.
        if self.free.fetch_update(Release, Relaxed, more).is_err() {
            return false;
        }
        // PAIR: the fence of `acquire`: either we see the sleeper, or it sees the permit and does not sleep.
        fence(SeqCst);
        if self.sleepers.load(Relaxed) != 0 {
            self.free.wake(count);
        }
        true
    }
}

#[cfg(all(test, loom))]
#[path = "semaphore_tests.rs"]
mod tests;
