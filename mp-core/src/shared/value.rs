//! One value under a lock.
//!
//! There are two copies, and a word that says which one counts. A change is written to the other one, then the word is
//! turned. So a process that is killed at any instruction has changed the value, or it has not.

#![allow(unsafe_code)] // the copies behind the lock

use super::block::{Block, Words};
use super::lock::{Held, LockLine, Locked, held_now, timed_out};
use super::shareable::Shareable;
use crate::error::Error;
use crate::raw::turn::Turn;
use serde::{Deserialize, Serialize};
use std::cell::UnsafeCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::thread;
use std::time::Duration;

/// A value that several processes read and change, one at a time.
///
/// Clones and copies in other processes are the same value. A process that is killed while it changes the value leaves it
/// as it was before; the lock goes to the next one.
///
/// ```
/// use mp::shm::Value;
///
/// #[mp::task]
/// fn count(counter: &Value<u64>, times: u64) -> Result<(), mp::Error> {
///     for _ in 0..times {
///         counter.update(|n| n + 1)?;
///     }
///     Ok(())
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let counter = Value::new(0)?;
///     for counted in mp::Pool::new(2)?.starmap(count, [(&counter, 100); 4])? {
///         counted?;
///     }
///     assert_eq!(counter.get()?, 400);
///     Ok(())
/// }
/// ```
///
/// # Errors
/// Its methods fail with [`ErrorKind::Deadlock`](crate::ErrorKind::Deadlock) in a thread that has a [`lock`](Self::lock)
/// on it.
///
/// # Blocking and death
/// Its methods wait for the holder of the lock; one that is killed hands it on.
#[allow(clippy::unsafe_derive_deserialize, reason = "`Block` checks what arrives")]
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Value<T: Shareable>(Block<ValueWords<T>>);

#[repr(C)]
struct ValueWords<T> {
    lock: LockLine,
    turn: Turn,
    copies: [UnsafeCell<T>; 2],
}

// SAFETY: duty: threads reach the copies only while they hold the lock: kept by `read` and `write`, the only ways to them.
unsafe impl<T: Shareable> Sync for ValueWords<T> {}

// SAFETY: duty: what others write is guarded and valid for all bits: the copies by the lock and by `Shareable`; the rest is
// atomics and the system's lock.
unsafe impl<T: Shareable> Words for ValueWords<T> {
    const KIND: u32 = 9;
    const NAME: &'static str = "value";
}

impl<T: Shareable> Value<T> {
    /// A value in shared memory of its own.
    ///
    /// # Errors
    /// If the system gives no memory.
    pub fn new(value: T) -> Result<Self, Error> {
        let block = Block::create(|words: *mut ValueWords<T>| {
            // SAFETY: duty: valid, unused and zero: `Block::create` says so of what it passes. The second copy is zero,
            // and nobody reads it before it is written.
            unsafe {
                (&raw mut (*words).copies[0]).write(UnsafeCell::new(value));
                LockLine::init(&raw mut (*words).lock)
            }
        })?;
        Ok(Self(block))
    }

    /// The value.
    pub fn get(&self) -> Result<T, Error> {
        Held::wait(&self.0).map(|held| read(&held))
    }

    /// Replaces the value.
    pub fn set(&self, value: T) -> Result<(), Error> {
        Held::wait(&self.0).map(|held| write(&held, value))
    }

    /// Makes a new value out of the old one, with the lock held, and returns it. If `change` panics, the value stays.
    pub fn update(&self, change: impl FnOnce(T) -> T) -> Result<T, Error> {
        let held = Held::wait(&self.0)?;
        let value = change(read(&held));
        write(&held, value);
        Ok(value)
    }

    /// Waits for the lock; the guard is the value.
    ///
    /// # Blocking and death
    /// A holder that is killed hands the lock on.
    pub fn lock(&self) -> Result<ValueGuard<T>, Error> {
        Held::wait(&self.0).map(ValueGuard::new)
    }

    /// Takes the lock if nobody holds it now.
    ///
    /// # Errors
    /// [`is_timeout`](Error::is_timeout) if somebody does.
    pub fn try_lock(&self) -> Result<ValueGuard<T>, Error> {
        Held::take(&self.0, Some(Duration::ZERO))?.map(ValueGuard::new).ok_or_else(held_now)
    }

    /// Waits for the lock, at most `timeout`. Zero looks once.
    ///
    /// # Errors
    /// [`is_timeout`](Error::is_timeout) if somebody held it all the time.
    ///
    /// # Blocking and death
    /// As [`lock`](Self::lock), and when the time is over.
    pub fn lock_timeout(&self, timeout: Duration) -> Result<ValueGuard<T>, Error> {
        Held::take(&self.0, Some(timeout))?.map(ValueGuard::new).ok_or_else(|| timed_out(timeout))
    }
}

/// The lock on a [`Value`], and the value: what it was changed to counts when the guard is dropped, all at once. A panic
/// meanwhile changes nothing.
pub struct ValueGuard<T: Shareable> {
    held: Held<Block<ValueWords<T>>>,
    value: T,
    changed: bool,
    /// Whether the thread was panicking already when it locked: then the panic is no news.
    panicking: bool,
}

impl<T: Shareable> ValueGuard<T> {
    fn new(held: Held<Block<ValueWords<T>>>) -> Self {
        Self { value: read(&held), held, changed: false, panicking: thread::panicking() }
    }
}

impl<T: Shareable> Deref for ValueGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Shareable> DerefMut for ValueGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.changed = true;
        &mut self.value
    }
}

impl<T: Shareable> Drop for ValueGuard<T> {
    fn drop(&mut self) {
        if self.changed && (self.panicking || !thread::panicking()) {
            write(&self.held, self.value);
        }
    }
}

fn read<T: Shareable>(held: &Held<Block<ValueWords<T>>>) -> T {
    let words = held.memory();
    // SAFETY: duty: nobody writes: the lock is held. Valid: all bits are, by `Shareable`.
    unsafe { *words.copies[words.turn.current()].get() }
}

fn write<T: Shareable>(held: &Held<Block<ValueWords<T>>>, value: T) {
    let words = held.memory();
    // SAFETY: duty: nobody else reads or writes: the lock is held.
    unsafe { words.copies[words.turn.next()].get().write(value) };
    words.turn.pass();
}

impl<T: Shareable> Locked for Block<ValueWords<T>> {
    fn line(&self) -> &LockLine {
        &self.lock
    }
}

impl<T: Shareable> Clone for Value<T> {
    /// The same value once more.
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Shareable> fmt::Debug for Value<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").finish_non_exhaustive()
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for ValueGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
