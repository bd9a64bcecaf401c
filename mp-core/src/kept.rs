//! What a process keeps a little longer than it is used: the next call is likely to need the same, and to get it anew costs a
//! page fault for every few pages.
//!
//! ```text
//!  something is used up ─► put ─► kept until something else is put │ a frame of calls ends that used none │ there is nothing to do
//! ```
//! Only processes that say so [keep](Kept::begin) anything: those that call [`Kept::age`] and [`Kept::forget`].

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Room for one thing.
#[derive(Debug)]
pub struct Kept<T> {
    /// A hint that spares a look under the lock; only the thread that runs calls acts on it.
    state: AtomicU8,
    what: Mutex<Option<T>>,
}

/// | state | goes to | when |
/// |---|---|---|
/// | [`NEVER`] | [`NOTHING`] | [`Kept::begin`] |
/// | [`NOTHING`], [`OLD`] | [`USED`] | something is [put](Kept::put) |
/// | [`USED`] | [`OLD`] | [`Kept::age`] |
/// | [`OLD`] | [`NOTHING`] | [`Kept::age`] |
/// | any but [`NEVER`] | [`NOTHING`] | [`Kept::forget`] |
const NEVER: u8 = 0;
const NOTHING: u8 = 1;
const OLD: u8 = 2;
const USED: u8 = 3;

impl<T> Kept<T> {
    /// Room in a process that keeps nothing.
    pub const fn new() -> Self {
        Self { state: AtomicU8::new(NEVER), what: Mutex::new(None) }
    }

    /// This process keeps what it has used last.
    pub fn begin(&self) {
        self.state.store(NOTHING, Relaxed);
    }

    /// Whether this process keeps things.
    #[inline]
    pub fn has_begun(&self) -> bool {
        self.state.load(Relaxed) != NEVER
    }

    /// Takes out what is kept, if that `suits`; else it stays.
    pub fn take(&self, suits: impl FnOnce(&T) -> bool) -> Option<T> {
        if !self.is_any() {
            return None;
        }
        let mut what = self.lock();
        if what.as_ref().is_some_and(suits) { what.take() } else { None }
    }

    /// Keeps this, and not what was kept before.
    pub fn put(&self, thing: T) {
        if self.has_begun() {
            let before = self.lock().replace(thing);
            self.state.store(USED, Relaxed);
            drop(before);
        }
    }

    /// Calls have been run: what none of them has used is kept no longer.
    #[inline]
    pub fn age(&self) {
        match self.state.load(Relaxed) {
            USED => self.state.store(OLD, Relaxed),
            OLD => self.forget(),
            _ => {}
        }
    }

    /// Whether anything is kept.
    #[inline]
    pub fn is_any(&self) -> bool {
        matches!(self.state.load(Relaxed), OLD | USED)
    }

    /// Keeps nothing, for now.
    #[cold]
    pub fn forget(&self) {
        if self.is_any() {
            self.state.store(NOTHING, Relaxed);
            let before = self.lock().take();
            drop(before);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        // Nothing panics half-way under it.
        self.what.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_stays_until_calls_do_without_it() {
        let kept = Kept::new();
        kept.put(1);
        assert!(!kept.is_any() && kept.take(|_| true).is_none(), "not yet");
        kept.begin();
        kept.put(1);
        kept.put(2);
        assert_eq!(
            (kept.take(|_| false), kept.take(|&thing| thing == 2), kept.take(|_| true)),
            (None, Some(2), None)
        );
        kept.put(3);
        kept.age();
        assert!(kept.is_any(), "used since the last time");
        kept.put(4);
        kept.age();
        assert_eq!(kept.take(|_| true), Some(4));
        kept.put(5);
        kept.age();
        kept.age();
        assert!(!kept.is_any() && kept.take(|_| true).is_none(), "not used since the last time");
        kept.put(6);
        kept.forget();
        assert!(!kept.is_any() && kept.take(|_| true).is_none());
    }
}
