//! One value under a lock.
//!
//! There are two copies, and a word that says which one counts. A change is written to the other one, then the word is
//! turned. So a process that is killed at any instruction has changed the value, or it has not.
//!
//! | slot | counts | next |
//! |---|---|---|
//! | even | the first copy | odd, when the second is written |
//! | odd | the second copy | even, when the first is written |

#![allow(unsafe_code)] // elements of a mapping

use super::block::{Block, Kind};
use super::lock::{Held, timed_out};
use super::shareable::Shareable;
use crate::error::Error;
use crate::raw::atomic::Ordering::{Acquire, Release};
use crate::sys::memory::Access;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
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
/// fn count(counter: &Value<u64>, times: u64) -> Result<(), String> {
///     for _ in 0..times {
///         counter.update(|n| n + 1).map_err(|error| error.to_string())?;
///     }
///     Ok(())
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let counter = Value::new(0)?;
///     mp::Pool::new(2)?.starmap(count, [(&counter, 100); 4])?;
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
pub struct Value<T: Shareable>(Arc<Block<T>>);

impl<T: Shareable> Value<T> {
    /// A value in shared memory of its own.
    ///
    /// # Errors
    /// If the system gives no memory.
    pub fn new(value: T) -> Result<Self, Error> {
        let block = Block::<T>::create_locked(Kind::Value, 2)?;
        // SAFETY: duty: in bounds: there are two elements; nobody else has the memory yet.
        unsafe { block.data().write(value) };
        Ok(Self(Arc::new(block)))
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
    held: Held<T>,
    value: T,
    changed: bool,
}

impl<T: Shareable> ValueGuard<T> {
    fn new(held: Held<T>) -> Self {
        Self { value: read(&held), held, changed: false }
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
        if self.changed && !std::thread::panicking() {
            write(&self.held, self.value);
        }
    }
}

fn read<T: Shareable>(held: &Held<T>) -> T {
    let block = held.block();
    // PAIR: `write` releases.
    let slot = (block.header().slot.load(Acquire) & 1) as usize;
    // SAFETY: duty: in bounds: there are two elements. Nobody writes: the lock is held. Valid: all bits are.
    unsafe { block.data().add(slot).read() }
}

fn write<T: Shareable>(held: &Held<T>, value: T) {
    let block = held.block();
    let slot = (block.header().slot.load(Acquire) & 1) ^ 1;
    // SAFETY: duty: in bounds: there are two elements. Nobody else reads or writes: the lock is held.
    unsafe { block.data().add(slot as usize).write(value) };
    // PAIR: `read` acquires, also in the process that gets the lock of one that was killed here.
    block.header().slot.store(slot, Release);
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

impl<T: Shareable> Serialize for Value<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

impl<'de, T: Shareable> Deserialize<'de> for Value<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let block = Block::read(deserializer, Kind::Value, Access::ReadWrite)?;
        if block.len() != 2 {
            return Err(serde::de::Error::custom("a value has two copies"));
        }
        Ok(Self(Arc::new(block)))
    }
}
