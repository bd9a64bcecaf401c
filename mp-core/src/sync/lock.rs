//! What the locks have in common: a robust mutex, and what is known of its past holders.
//!
//! | `trouble` | set by | cleared by |
//! |---|---|---|
//! | `DIED` | who got the lock from a dead holder, before it says so to the system | `OwnerDied::recover` |
//! | `POISONED` | a guard that is dropped by a panic | `clear_poison` |
//!
//! Who is killed between the two steps of taking over leaves a dead holder again: itself.

#![allow(unsafe_code)] // unlock, by those who hold

use super::error::LockError;
use crate::error::{Error, ErrorKind};
use crate::sys::robust::{Attempt, Robust, Taken};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

const DIED: u32 = 1;
const POISONED: u32 = 2;

/// A lock in shared memory.
#[repr(C)]
pub struct LockWords {
    robust: Robust,
    trouble: AtomicU32,
}

/// How long to try.
#[derive(Clone, Copy)]
pub enum Patience {
    Endless,
    Once,
    Until(Instant),
}

impl Patience {
    /// Until the time-out passes. One that is longer than the clock runs never does.
    pub fn of(timeout: Duration) -> Self {
        Instant::now().checked_add(timeout).map_or(Self::Endless, Self::Until)
    }
}

/// Why the lock was not got.
#[derive(Debug)]
pub enum Refusal {
    Busy,
    Mine,
    Os(io::Error),
}

impl Refusal {
    pub fn error<G>(self, patience: Patience) -> LockError<G> {
        match (self, patience) {
            (Self::Busy | Self::Mine, Patience::Once) => LockError::WouldBlock,
            (Self::Busy, Patience::Until(_) | Patience::Endless) => LockError::TimedOut,
            (Self::Mine, Patience::Until(_) | Patience::Endless) => LockError::Failed(Error::new(
                ErrorKind::Deadlock,
                "this thread holds the lock already and would wait for itself",
            )),
            (Self::Os(error), _) => LockError::Failed(Error::os("cannot lock", error)),
        }
    }
}

impl LockWords {
    /// Makes a lock in place.
    ///
    /// # Safety
    /// As for [`Robust::init`], and the bytes are zero.
    pub unsafe fn init(place: *mut Self) -> io::Result<()> {
        // SAFETY: duty: valid and unused: the caller by the contract.
        unsafe { Robust::init(&raw mut (*place).robust) }
    }

    /// Takes the lock.
    #[inline]
    pub fn take(&self, patience: Patience) -> Result<(), Refusal> {
        let attempt = match patience {
            Patience::Endless => self.robust.lock(),
            Patience::Once => self.robust.try_lock(),
            Patience::Until(deadline) => self.robust.lock_until(deadline),
        };
        match attempt {
            Ok(Attempt::Taken(Taken::Clean)) => Ok(()),
            Ok(Attempt::Taken(Taken::OwnerDied)) => self.take_over(),
            Ok(Attempt::Busy) => Err(Refusal::Busy),
            Ok(Attempt::Mine) => Err(Refusal::Mine),
            Err(error) => Err(Refusal::Os(error)),
        }
    }

    #[cold]
    fn take_over(&self) -> Result<(), Refusal> {
        // PAIR: every look at `trouble` by a holder: the lock orders them.
        self.trouble.fetch_or(DIED, Relaxed);
        // SAFETY: duty: held by this thread: it has just been taken.
        unsafe { self.robust.mark_consistent() }.map_err(Refusal::Os)
    }

    /// Gives the lock back.
    ///
    /// # Safety
    /// This thread holds it.
    #[inline]
    pub unsafe fn give_back(&self) {
        // SAFETY: duty: held by this thread: the caller by the contract.
        unsafe { self.robust.unlock() };
    }

    /// Whether there was trouble: the usual case is that there was none.
    #[inline]
    pub fn is_troubled(&self) -> bool {
        // PAIR: `take_over` and `poison`, ordered by the lock.
        self.trouble.load(Relaxed) != 0
    }

    pub fn has_died(&self) -> bool {
        self.trouble.load(Relaxed) & DIED != 0
    }

    pub fn is_poisoned(&self) -> bool {
        self.trouble.load(Relaxed) & POISONED != 0
    }

    pub fn poison(&self) {
        self.trouble.fetch_or(POISONED, Relaxed);
    }

    pub fn clear_poison(&self) {
        self.trouble.fetch_and(!POISONED, Relaxed);
    }

    pub fn clear_death(&self) {
        self.trouble.fetch_and(!DIED, Relaxed);
    }

    /// Whether somebody holds it. Looks by taking it for a moment.
    pub fn is_held(&self) -> bool {
        match self.take(Patience::Once) {
            Ok(()) => {
                // SAFETY: duty: held by this thread: taken on the line above.
                unsafe { self.give_back() };
                false
            }
            Err(Refusal::Busy | Refusal::Mine) => true,
            Err(Refusal::Os(_)) => false,
        }
    }
}
