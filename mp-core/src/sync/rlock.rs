//! `RLock`.

#![allow(unsafe_code)] // unlock, by those who hold

use super::error::{LockError, OwnerDied, sealed};
use super::lock::{LockWords, Patience, Refusal};
use crate::error::Error;
use crate::shared::block::{Block, Words};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// A lock that its owner, a thread of a process, may take again and again; it is free when each guard is dropped.
///
/// It protects no value, as the owner may be in the middle of a change when it locks again: use a
/// [`Mutex`](super::Mutex) where you can.
///
/// ```
/// let lock = mp::sync::RLock::new()?;
/// let outer = lock.lock()?;
/// let inner = lock.lock()?;
/// drop(outer);
/// assert!(lock.is_locked());
/// drop(inner);
/// assert!(!lock.is_locked());
/// # Ok::<(), mp::Error>(())
/// ```
#[allow(clippy::unsafe_derive_deserialize, reason = "`Block` checks what arrives")]
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RLock {
    block: Block<RLockWords>,
}

/// One of the times that an [`RLock`] was taken. It stays in the thread that locked.
#[must_use = "dropped, it gives the lock back"]
pub struct RLockGuard<'a> {
    lock: &'a RLock,
    stays: PhantomData<*const ()>,
}

#[repr(C)]
struct RLockWords {
    lock: LockWords,
    /// How many guards its owner has. Only the owner touches it; what a dead one left is overwritten.
    depth: AtomicU32,
}

// SAFETY: duty: what others write is in atomics and in the system's lock: all of it is.
unsafe impl Words for RLockWords {
    const KIND: u32 = 5;
    const NAME: &'static str = "recursive lock";
}

type Locked<'a> = Result<RLockGuard<'a>, LockError<RLockGuard<'a>>>;

impl RLock {
    /// A new lock, free.
    ///
    /// # Errors
    /// If the system refuses memory or a descriptor, or cannot do it at all.
    pub fn new() -> Result<Self, Error> {
        let block = Block::create(|words: *mut RLockWords| {
            // SAFETY: duty: valid, unused and zero: `Block::create` says so of what it passes.
            unsafe { LockWords::init(&raw mut (*words).lock) }
        })?;
        Ok(Self { block })
    }

    /// Locks, and waits for as long as another thread holds the lock.
    ///
    /// # Errors
    /// [`LockError::OwnerDied`] with the guard. A panic of a holder is no news here: the lock protects no value.
    ///
    /// # Blocking and death
    /// Waits as long as a living thread holds the lock. When it is killed, one of those who wait gets the lock at once.
    pub fn lock(&self) -> Locked<'_> {
        self.lock_with(Patience::Endless)
    }

    /// Locks if no other thread holds the lock.
    ///
    /// # Errors
    /// [`LockError::WouldBlock`]; otherwise as [`lock`](Self::lock).
    pub fn try_lock(&self) -> Locked<'_> {
        self.lock_with(Patience::Once)
    }

    /// Locks, and waits for at most `timeout`. Zero tries once.
    ///
    /// # Errors
    /// [`LockError::TimedOut`]; otherwise as [`lock`](Self::lock).
    ///
    /// # Blocking and death
    /// As [`lock`](Self::lock), with an end.
    pub fn lock_timeout(&self, timeout: Duration) -> Locked<'_> {
        self.lock_with(Patience::of(timeout))
    }

    /// Whether somebody held the lock just now, this thread included.
    pub fn is_locked(&self) -> bool {
        self.block.lock.is_held()
    }

    fn lock_with(&self, patience: Patience) -> Locked<'_> {
        // PAIR: none; only the owner of the lock touches the depth.
        match self.block.lock.take(patience) {
            Ok(()) => {
                self.block.set_held(true);
                self.block.depth.store(1, Relaxed);
            }
            Err(Refusal::Mine) => {
                self.block.depth.fetch_add(1, Relaxed);
            }
            Err(refusal) => return Err(refusal.error(patience)),
        }
        let guard = RLockGuard { lock: self, stays: PhantomData };
        if self.block.lock.has_died() { Err(LockError::OwnerDied(OwnerDied::new(guard))) } else { Ok(guard) }
    }
}

impl Drop for RLockGuard<'_> {
    fn drop(&mut self) {
        let block = &self.lock.block;
        // PAIR: none; as in `lock_with`.
        if block.depth.fetch_sub(1, Relaxed) == 1 {
            // Two handles of one lock that were taken by turns: the flag of the other one stays, and its mapping too.
            block.set_held(false);
            // SAFETY: duty: held by this thread: the guard is not `Send`, and it is the owner's last one.
            unsafe { block.lock.give_back() };
        }
    }
}

impl sealed::Recover for RLockGuard<'_> {
    fn recover(&self) {
        self.lock.block.lock.clear_death();
    }
}

impl fmt::Debug for RLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RLock").field("locked", &self.is_locked()).finish_non_exhaustive()
    }
}

impl fmt::Debug for RLockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RLockGuard").finish_non_exhaustive()
    }
}
