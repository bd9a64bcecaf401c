//! The lock of a memory: the kernel hands it on when its holder is killed.

#![allow(unsafe_code)] // the contracts of the robust lock

use crate::error::{Error, ErrorKind};
use crate::sys::robust::{Attempt, Robust, Taken};
use std::io;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A lock on a line of its own, and how many of its holders were killed.
#[repr(C, align(64))]
pub struct LockLine {
    robust: Robust,
    deaths: AtomicU64,
    /// Of how many of them a guard has told.
    told: AtomicU64,
}

impl LockLine {
    /// Makes one that nobody holds.
    ///
    /// # Safety
    /// As for [`Robust::init`], and the bytes are zero.
    pub unsafe fn init(place: *mut Self) -> io::Result<()> {
        // SAFETY: duty: valid and unused: the caller by the contract.
        unsafe { Robust::init(&raw mut (*place).robust) }
    }

    /// How many holders were killed, as far as the next one has seen it.
    pub fn deaths(&self) -> u64 {
        // PAIR: none; `take` counts under the lock, and this is for people.
        self.deaths.load(Relaxed)
    }
}

/// A handle to memory with a lock in it. Clones keep the memory mapped.
pub trait Locked: Clone {
    /// The lock.
    fn line(&self) -> &LockLine;
}

/// The lock of a memory, held by this thread. It keeps the memory mapped: the kernel knows the lock by its address, also
/// of a guard that somebody forgets.
pub struct Held<M: Locked> {
    memory: M,
    /// The system knows a lock's owner by its thread.
    stays: PhantomData<*const ()>,
}

impl<M: Locked> Held<M> {
    /// Takes the lock; `None` when the time is over. Zero looks once.
    pub fn take(memory: &M, timeout: Option<Duration>) -> Result<Option<Self>, Error> {
        let line = memory.line();
        // A time that is longer than the clock runs has no end.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let attempt = match deadline {
            Some(deadline) => line.robust.lock_until(deadline),
            None => line.robust.lock(),
        };
        let taken = match attempt.map_err(refused)? {
            Attempt::Taken(taken) => taken,
            Attempt::Busy => return Ok(None),
            Attempt::Mine => {
                let text = "this thread holds the lock of this shared memory: it would wait for itself";
                return Err(Error::new(ErrorKind::Deadlock, text));
            }
        };
        let held = Self { memory: memory.clone(), stays: PhantomData };
        if taken == Taken::OwnerDied {
            // PAIR: none; it is counted under the lock, and read for people.
            line.deaths.fetch_add(1, Relaxed);
            // SAFETY: duty: held by this thread: it has just been taken.
            unsafe { line.robust.mark_consistent() }.map_err(refused)?;
        }
        Ok(Some(held))
    }

    /// The same without an end to the time.
    pub fn wait(memory: &M) -> Result<Self, Error> {
        Self::take(memory, None)?.ok_or_else(|| timed_out(Duration::MAX))
    }

    /// The memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Whether a holder was killed since somebody asked this last.
    pub fn hear_of_death(&self) -> bool {
        let line = self.memory.line();
        // PAIR: none; both are changed under the lock only.
        let deaths = line.deaths.load(Relaxed);
        line.told.swap(deaths, Relaxed) != deaths
    }
}

impl<M: Locked> Drop for Held<M> {
    fn drop(&mut self) {
        // SAFETY: duty: held by this thread: `take` took it, and this is not `Send`.
        unsafe { self.memory.line().robust.unlock() };
    }
}

/// The error for a lock that somebody held all the time.
pub fn timed_out(timeout: Duration) -> Error {
    Error::new(ErrorKind::TimedOut, format!("the lock of the shared memory was not free within {timeout:?}"))
}

/// The error for a lock that somebody holds now.
pub fn held_now() -> Error {
    let who = "by another process, or another thread";
    Error::new(ErrorKind::TimedOut, format!("the lock of the shared memory is held now: {who}"))
}

fn refused(error: io::Error) -> Error {
    Error::os("cannot lock shared memory", error)
}
