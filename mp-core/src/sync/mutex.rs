//! `Mutex`.

#![allow(unsafe_code)] // the value behind the lock

use super::error::{LockError, OwnerDied, sealed};
use super::lock::{LockWords, Patience};
use crate::error::Error;
use crate::raw::line::Line;
use crate::shared::block::{Block, Words};
use crate::shared::shareable::Shareable;
use serde::{Deserialize, Serialize};
use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::thread;
use std::time::Duration;

/// A value that one thread of one process at a time may use.
///
/// The value lies in shared memory, so its type must be [`Shareable`]. A thread that locks again what it holds gets an
/// error of kind [`Deadlock`](crate::ErrorKind::Deadlock), not a hang. There is no fairness.
///
/// ```
/// use mp::sync::Mutex;
/// use std::time::Duration;
///
/// let point = Mutex::new([0.0, 0.0])?;
/// point.lock()?[0] = 1.5;
/// let held = point.lock()?;
/// assert!(point.is_locked() && point.try_lock().is_err());
/// assert!(std::thread::scope(|s| s.spawn(|| point.lock_timeout(Duration::ZERO).is_err()).join().unwrap()));
/// assert_eq!(*held, [1.5, 0.0]);
/// # Ok::<(), mp::Error>(())
/// ```
#[allow(clippy::unsafe_derive_deserialize, reason = "`Block` checks what arrives")]
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Mutex<T: Shareable> {
    block: Block<MutexWords<T>>,
}

/// The right to use the value of a [`Mutex`], until it is dropped. It stays in the thread that locked.
#[must_use = "dropped, it gives the lock back"]
pub struct MutexGuard<'a, T: Shareable> {
    mutex: &'a Mutex<T>,
    /// Whether the thread was panicking already when it locked: then the panic is no news.
    panicking: bool,
    /// The system knows a lock's owner by its thread.
    stays: PhantomData<*const ()>,
}

// SAFETY: duty: what several threads may do with a `&MutexGuard`: read the value, and `Shareable` types are `Sync`.
unsafe impl<T: Shareable> Sync for MutexGuard<'_, T> {}

#[repr(C)]
pub(super) struct MutexWords<T> {
    lock: LockWords,
    /// Who waits changes the line of the lock, not that which its holder works on.
    value: Line<UnsafeCell<T>>,
}

const _: () = assert!(std::mem::offset_of!(MutexWords<u8>, value) >= size_of::<Line<u8>>());

// SAFETY: duty: threads reach the value only while they hold the lock: kept by `MutexGuard`, the only way to it.
unsafe impl<T: Shareable> Sync for MutexWords<T> {}

// SAFETY: duty: what others write is guarded and valid for all bits: the value by the lock and by `Shareable`; the rest
// is atomics and the system's lock.
unsafe impl<T: Shareable> Words for MutexWords<T> {
    const KIND: u32 = 1;
    const NAME: &'static str = "mutex";
}

impl<T: Shareable> Mutex<T> {
    /// A new mutex with this value, unlocked.
    ///
    /// # Errors
    /// If the system refuses memory or a descriptor, or cannot do it at all.
    pub fn new(value: T) -> Result<Self, Error> {
        let block = Block::create(|words: *mut MutexWords<T>| {
            // SAFETY: duty: valid, unused and zero: `Block::create` says so of what it passes.
            unsafe {
                (&raw mut (*words).value).write(Line(UnsafeCell::new(value)));
                LockWords::init(&raw mut (*words).lock)
            }
        })?;
        Ok(Self { block })
    }

    /// Locks, and waits for as long as somebody else holds the lock.
    ///
    /// # Errors
    /// [`LockError::OwnerDied`] and [`LockError::Poisoned`] with the guard; [`LockError::Failed`] if this thread holds
    /// the lock already.
    ///
    /// # Blocking and death
    /// Waits as long as a living thread holds the lock. When the holder is killed, one of those who wait gets the lock
    /// at once, as [`LockError::OwnerDied`].
    #[inline]
    pub fn lock(&self) -> Result<MutexGuard<'_, T>, LockError<MutexGuard<'_, T>>> {
        self.lock_with(Patience::Endless)
    }

    /// Locks if nobody holds the lock.
    ///
    /// # Errors
    /// [`LockError::WouldBlock`] if somebody does, this thread included; otherwise as [`lock`](Self::lock).
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, LockError<MutexGuard<'_, T>>> {
        self.lock_with(Patience::Once)
    }

    /// Locks, and waits for at most `timeout`. Zero tries once.
    ///
    /// # Errors
    /// [`LockError::TimedOut`]; otherwise as [`lock`](Self::lock).
    ///
    /// # Blocking and death
    /// As [`lock`](Self::lock), with an end. Time is monotonic: setting the clock changes nothing.
    pub fn lock_timeout(&self, timeout: Duration) -> Result<MutexGuard<'_, T>, LockError<MutexGuard<'_, T>>> {
        self.lock_with(Patience::of(timeout))
    }

    /// Whether somebody held the lock just now. It looks by taking the lock for a moment, so that a `try_lock` of
    /// somebody else may fail meanwhile.
    pub fn is_locked(&self) -> bool {
        self.block.lock.is_held()
    }

    /// Whether a holder has panicked.
    pub fn is_poisoned(&self) -> bool {
        self.block.lock.is_poisoned()
    }

    /// Says that the value is in order again after a panic: locking is no longer [`LockError::Poisoned`].
    pub fn clear_poison(&self) {
        self.block.lock.clear_poison();
    }

    #[inline]
    fn lock_with(&self, patience: Patience) -> Result<MutexGuard<'_, T>, LockError<MutexGuard<'_, T>>> {
        match self.block.lock.take(patience) {
            Ok(()) => self.taken(),
            Err(refusal) => Err(refusal.error(patience)),
        }
    }

    #[inline]
    fn taken(&self) -> Result<MutexGuard<'_, T>, LockError<MutexGuard<'_, T>>> {
        self.block.set_held(true);
        let guard = MutexGuard { mutex: self, panicking: thread::panicking(), stays: PhantomData };
        if !self.block.lock.is_troubled() {
            return Ok(guard);
        }
        Err(if self.block.lock.has_died() {
            LockError::OwnerDied(OwnerDied::new(guard))
        } else {
            LockError::Poisoned(guard)
        })
    }
}

impl<'a, T: Shareable> MutexGuard<'a, T> {
    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }
}

impl<T: Shareable> Deref for MutexGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: duty: nobody writes meanwhile: this guard holds the lock; valid: `Shareable`, for all bits.
        unsafe { &*self.mutex.block.value.get() }
    }
}

impl<T: Shareable> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: duty: nobody else reads or writes meanwhile: this guard holds the lock and is borrowed mutably.
        unsafe { &mut *self.mutex.block.value.get() }
    }
}

impl<T: Shareable> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let block = &self.mutex.block;
        if !self.panicking && thread::panicking() {
            block.lock.poison();
        }
        block.set_held(false);
        // SAFETY: duty: held by this thread: the guard is not `Send`, so it is dropped where it was made.
        unsafe { block.lock.give_back() };
    }
}

impl<T: Shareable> sealed::Recover for MutexGuard<'_, T> {
    fn recover(&self) {
        self.mutex.block.lock.clear_death();
    }
}

impl<T: Shareable> Clone for Mutex<T> {
    fn clone(&self) -> Self {
        Self { block: self.block.clone() }
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Mutex");
        match self.try_lock() {
            Ok(guard) | Err(LockError::Poisoned(guard)) => text.field("value", &*guard),
            Err(LockError::OwnerDied(died)) => text.field("value", &**died.as_guard()),
            Err(_) => text.field("value", &format_args!("<locked>")),
        };
        text.field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
