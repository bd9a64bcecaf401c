//! `Semaphore` and `BoundedSemaphore`.

#![allow(unsafe_code)] // the promise that the words may be shared

use crate::error::{Error, ErrorKind};
use crate::raw::semaphore::{PERMITS_MAX, SemaphoreWords};
use crate::raw::word::Deadline;
use crate::shared::block::{Block, Words};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// A number of permits, which anybody may take and anybody may give back.
///
/// Permits have no owner: one that a process took before it was killed does not come back. Where that matters, use a
/// [`Mutex`](super::Mutex).
///
/// ```
/// let two_at_once = mp::sync::Semaphore::new(2)?;
/// two_at_once.acquire();
/// two_at_once.acquire();
/// assert!(!two_at_once.try_acquire());
/// two_at_once.release()?;
/// assert_eq!(two_at_once.value(), 1);
/// # Ok::<(), mp::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Semaphore {
    block: Block<Permits>,
}

/// A [`Semaphore`] that never has more permits than at first: giving back too many is an error.
///
/// ```
/// let one = mp::sync::BoundedSemaphore::new(1)?;
/// one.acquire();
/// one.release()?;
/// assert_eq!(one.release().unwrap_err().kind(), mp::ErrorKind::InvalidInput);
/// # Ok::<(), mp::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BoundedSemaphore(Semaphore);

#[repr(C)]
struct Permits {
    words: SemaphoreWords,
    limit: AtomicU32,
}

// SAFETY: duty: what others write is in atomics: all of it is.
unsafe impl Words for Permits {
    const KIND: u32 = 3;
    const NAME: &'static str = "semaphore";
}

impl Semaphore {
    /// A new semaphore with this many permits.
    ///
    /// # Errors
    /// If the system refuses memory or a descriptor, or there are more than 2³¹ - 1 permits.
    pub fn new(permits: u32) -> Result<Self, Error> {
        Self::with_limit(permits, PERMITS_MAX)
    }

    /// Takes a permit, and waits for one if there is none.
    ///
    /// # Blocking and death
    /// Until somebody gives one back. One that was given back is not lost when the process that was woken for it, or
    /// the one that gave it back, is killed: somebody else takes it, at most a tenth of a second later.
    pub fn acquire(&self) {
        self.block.words.acquire(Deadline::NEVER);
    }

    /// Takes a permit if there is one; whether there was.
    #[must_use = "there may be no permit"]
    pub fn try_acquire(&self) -> bool {
        self.block.words.try_acquire()
    }

    /// Takes a permit, and waits for one for at most `timeout`; whether it got one. Zero tries once.
    ///
    /// # Blocking and death
    /// As [`acquire`](Self::acquire), with an end.
    #[must_use = "the time-out may have passed"]
    pub fn acquire_timeout(&self, timeout: Duration) -> bool {
        self.block.words.acquire(Deadline::after(timeout))
    }

    /// Gives one permit back.
    ///
    /// # Errors
    /// As [`release_many`](Self::release_many).
    pub fn release(&self) -> Result<(), Error> {
        self.release_many(1)
    }

    /// Gives permits back.
    ///
    /// # Errors
    /// Of kind [`InvalidInput`](ErrorKind::InvalidInput) if there would be too many; then none is given back.
    pub fn release_many(&self, permits: u32) -> Result<(), Error> {
        let limit = self.limit();
        if self.block.words.release(permits, limit) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InvalidInput,
            format!("cannot give {permits} permits back: the semaphore would have more than {limit}"),
        ))
    }

    /// How many permits there are just now.
    pub fn value(&self) -> u32 {
        self.block.words.value()
    }

    fn with_limit(permits: u32, limit: u32) -> Result<Self, Error> {
        if permits > PERMITS_MAX {
            let message = format!("a semaphore cannot have {permits} permits: {PERMITS_MAX} is the most");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let block = Block::<Permits>::create(|_| Ok(()))?;
        // PAIR: `limit`; written before the handle is sent, which orders it.
        block.limit.store(limit, Relaxed);
        block.words.release(permits, PERMITS_MAX);
        Ok(Self { block })
    }

    fn limit(&self) -> u32 {
        // PAIR: `with_limit`.
        self.block.limit.load(Relaxed)
    }
}

impl BoundedSemaphore {
    /// A new semaphore with this many permits, and never more.
    ///
    /// # Errors
    /// As [`Semaphore::new`].
    pub fn new(permits: u32) -> Result<Self, Error> {
        Semaphore::with_limit(permits, permits).map(Self)
    }

    /// Takes a permit, and waits for one if there is none.
    ///
    /// # Blocking and death
    /// As [`Semaphore::acquire`].
    pub fn acquire(&self) {
        self.0.acquire();
    }

    /// Takes a permit if there is one; whether there was.
    #[must_use = "there may be no permit"]
    pub fn try_acquire(&self) -> bool {
        self.0.try_acquire()
    }

    /// Takes a permit, and waits for one for at most `timeout`; whether it got one. Zero tries once.
    ///
    /// # Blocking and death
    /// As [`Semaphore::acquire_timeout`].
    #[must_use = "the time-out may have passed"]
    pub fn acquire_timeout(&self, timeout: Duration) -> bool {
        self.0.acquire_timeout(timeout)
    }

    /// Gives one permit back.
    ///
    /// # Errors
    /// Of kind [`InvalidInput`](ErrorKind::InvalidInput) if none is taken.
    pub fn release(&self) -> Result<(), Error> {
        self.0.release()
    }

    /// Gives permits back.
    ///
    /// # Errors
    /// Of kind [`InvalidInput`](ErrorKind::InvalidInput) if fewer are taken; then none is given back.
    pub fn release_many(&self, permits: u32) -> Result<(), Error> {
        self.0.release_many(permits)
    }

    /// How many permits there are just now.
    pub fn value(&self) -> u32 {
        self.0.value()
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("value", &self.value()).finish_non_exhaustive()
    }
}

impl fmt::Debug for BoundedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedSemaphore")
            .field("value", &self.value())
            .field("limit", &self.0.limit())
            .finish_non_exhaustive()
    }
}
