//! A word in shared memory to sleep on, for any number of sleepers, and deadlines.
//!
//! A sleeper looks again after [`LOOK_AGAIN`] whether or not it was woken. It does not rely on that while everybody lives
//! (the loom models sleep for ever), but whoever owes a wake-up may be killed before it pays.

use super::atomic::AtomicU32;
use crate::limits::LOOK_AGAIN;
use std::ops::Deref;
use std::time::{Duration, Instant};

/// A word that is slept on while it holds a certain value. All-zero bytes are a valid one.
#[repr(C)]
#[derive(Debug, Default)]
pub struct FutexWord {
    value: AtomicU32,
    #[cfg(loom)]
    kernel: model::Kernel,
}

/// When to give up: never, or at some time.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// Never.
    pub const NEVER: Self = Self(None);

    /// After this time. One that is longer than the clock runs is never.
    pub fn after(timeout: Duration) -> Self {
        Self(Instant::now().checked_add(timeout))
    }

    /// Whether it is time.
    pub fn has_passed(&self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }

    /// How long to sleep at most before looking again.
    #[cfg(not(loom))]
    fn next_look(&self) -> Duration {
        self.0.map_or(LOOK_AGAIN, |end| end.saturating_duration_since(Instant::now()).min(LOOK_AGAIN))
    }
}

impl FutexWord {
    /// Sleeps while the word holds `expected`; comes back early for many reasons.
    ///
    /// # Blocking and death
    /// At most until the deadline, and at most for [`LOOK_AGAIN`].
    #[cfg(not(loom))]
    pub fn sleep(&self, expected: u32, deadline: Deadline) {
        crate::sys::futex::wait(&self.value, expected, Some(deadline.next_look()));
    }

    /// Wakes up to `count` sleepers.
    #[cfg(not(loom))]
    pub fn wake(&self, count: u32) {
        // The word is memory of ours: there is no way to fail.
        let _ = crate::sys::futex::wake(&self.value, count);
    }

    /// Wakes all sleepers.
    pub fn wake_all(&self) {
        self.wake(u32::MAX);
    }
}

impl Deref for FutexWord {
    type Target = AtomicU32;
    fn deref(&self) -> &AtomicU32 {
        &self.value
    }
}

#[cfg(loom)]
mod model {
    //! The kernel's side of a futex: it compares and goes to sleep in one step. Nobody wakes for no reason.

    use super::{Deadline, FutexWord};
    use crate::raw::atomic::Ordering::Relaxed;
    use loom::sync::{Condvar, Mutex};

    #[derive(Debug, Default)]
    pub(super) struct Kernel {
        sleepers: Mutex<u32>,
        bed: Condvar,
    }

    impl FutexWord {
        pub fn sleep(&self, expected: u32, _: Deadline) {
            let mut sleepers = self.kernel.sleepers.lock().expect("models do not panic under it");
            if self.value.load(Relaxed) == expected {
                *sleepers += 1;
                drop(self.kernel.bed.wait(sleepers));
            }
        }

        pub fn wake(&self, count: u32) {
            // Who sleeps is in the bed before the lock is free; the wake-up is outside of it, see `sleep`.
            let mut sleepers = self.kernel.sleepers.lock().expect("models do not panic under it");
            let woken = count.min(*sleepers);
            *sleepers -= woken;
            drop(sleepers);
            for _ in 0..woken {
                self.kernel.bed.notify_one();
            }
        }
    }
}
