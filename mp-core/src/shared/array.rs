//! Many values under one lock.

#![allow(unsafe_code)] // slices of a mapping

use super::elements::{Elements, Kind};
use super::lock::{Held, Locked, held_now, timed_out};
use super::shareable::Shareable;
use crate::error::{Error, ErrorKind};
use crate::sys::memory::Access;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

/// Values of fixed number that several processes read and change, one at a time.
///
/// Clones and copies in other processes are the same array. A process that is killed while it holds the lock hands it on;
/// what it had changed stays, so the next one may find half of a change: the next guard says so ([`ArrayGuard::owner_died`]), whatever was
/// read or written in between, and [`deaths`](Self::deaths) counts them.
///
/// ```
/// use mp::shm::Array;
///
/// #[mp::task]
/// fn negate(numbers: Array<i32>) -> Result<(), mp::Error> {
///     let mut numbers = numbers.lock()?;
///     numbers.iter_mut().for_each(|number| *number = -*number);
///     Ok(())
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let numbers = Array::from_slice(&[1, 2, 3])?;
///     mp::spawn(negate, (&numbers,))?.join()??;
///     assert_eq!(numbers.to_vec()?, [-1, -2, -3]);
///     assert_eq!(numbers.get(7)?, None);
///     Ok(())
/// }
/// ```
///
/// # Errors
/// Its methods fail with [`ErrorKind::Deadlock`] in a thread that has a [`lock`](Self::lock) on it.
///
/// # Blocking and death
/// Its methods wait for the holder of the lock; one that is killed hands it on.
pub struct Array<T: Shareable>(Arc<Elements<T>>);

impl<T: Shareable> Array<T> {
    /// `len` elements of which all bytes are zero.
    ///
    /// # Errors
    /// If the system gives no memory.
    pub fn zeroed(len: usize) -> Result<Self, Error> {
        Ok(Self(Arc::new(Elements::create_locked(Kind::Array, len)?)))
    }

    /// A copy of `elements`.
    ///
    /// # Errors
    /// If the system gives no memory.
    pub fn from_slice(elements: &[T]) -> Result<Self, Error> {
        let array = Self::zeroed(elements.len())?;
        array.lock()?.copy_from_slice(elements);
        Ok(array)
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at `index`; `None` if there is none.
    pub fn get(&self, index: usize) -> Result<Option<T>, Error> {
        Ok(self.hold()?.get(index).copied())
    }

    /// Replaces the element at `index`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is none.
    pub fn set(&self, index: usize, value: T) -> Result<(), Error> {
        match self.hold()?.get_mut(index) {
            Some(place) => *place = value,
            None => return Err(self.out_of_bounds(index, 1)),
        }
        Ok(())
    }

    /// All elements.
    pub fn to_vec(&self) -> Result<Vec<T>, Error> {
        Ok(self.hold()?.to_vec())
    }

    /// Copies the elements from `index` on to `target`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there are fewer than it takes.
    pub fn copy_to(&self, index: usize, target: &mut [T]) -> Result<(), Error> {
        let guard = self.hold()?;
        let range = index..index.saturating_add(target.len());
        target.copy_from_slice(guard.get(range).ok_or_else(|| self.out_of_bounds(index, target.len()))?);
        Ok(())
    }

    /// Replaces the elements from `index` on by those of `source`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is not so much room.
    pub fn copy_from(&self, index: usize, source: &[T]) -> Result<(), Error> {
        let mut guard = self.hold()?;
        let range = index..index.saturating_add(source.len());
        guard.get_mut(range).ok_or_else(|| self.out_of_bounds(index, source.len()))?.copy_from_slice(source);
        Ok(())
    }

    /// Waits for the lock; the guard is the elements as a slice, in place.
    ///
    /// # Blocking and death
    /// A holder that is killed hands the lock on.
    pub fn lock(&self) -> Result<ArrayGuard<T>, Error> {
        Held::wait(&self.0).map(ArrayGuard::new)
    }

    /// Takes the lock if nobody holds it now.
    ///
    /// # Errors
    /// [`is_timeout`](Error::is_timeout) if somebody does.
    pub fn try_lock(&self) -> Result<ArrayGuard<T>, Error> {
        Held::take(&self.0, Some(Duration::ZERO))?.map(ArrayGuard::new).ok_or_else(held_now)
    }

    /// Waits for the lock, at most `timeout`. Zero looks once.
    ///
    /// # Errors
    /// [`is_timeout`](Error::is_timeout) if somebody held it all the time.
    ///
    /// # Blocking and death
    /// As [`lock`](Self::lock), and when the time is over.
    pub fn lock_timeout(&self, timeout: Duration) -> Result<ArrayGuard<T>, Error> {
        Held::take(&self.0, Some(timeout))?.map(ArrayGuard::new).ok_or_else(|| timed_out(timeout))
    }

    /// How many processes were killed while they held the lock, as far as the next holder has seen it.
    pub fn deaths(&self) -> u64 {
        self.0.line().deaths()
    }

    /// The lock for one access: the news of a death waits for who has a guard.
    fn hold(&self) -> Result<ArrayGuard<T>, Error> {
        Held::wait(&self.0).map(|held| ArrayGuard { held, owner_died: false })
    }

    fn out_of_bounds(&self, index: usize, count: usize) -> Error {
        let len = self.len();
        Error::new(
            ErrorKind::InvalidInput,
            format!("{count} elements at index {index} are out of bounds of an array of {len}"),
        )
    }
}

/// The lock on an [`Array`], and its elements.
pub struct ArrayGuard<T: Shareable> {
    held: Held<Arc<Elements<T>>>,
    owner_died: bool,
}

impl<T: Shareable> ArrayGuard<T> {
    fn new(held: Held<Arc<Elements<T>>>) -> Self {
        Self { owner_died: held.hear_of_death(), held }
    }

    /// Whether a holder was killed since the last guard, so that its change may be half done. What went through `get`, `set` and
    /// the copying methods meanwhile has not looked.
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl<T: Shareable> Deref for ArrayGuard<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let elements = self.held.memory();
        // SAFETY: duty: in bounds, aligned, alive, valid: `Elements::data` for `len` elements, kept by the guard. Duty:
        // unchanging: elements are reached through guards only, and the lock lets there be one.
        unsafe { std::slice::from_raw_parts(elements.data(), elements.len()) }
    }
}

impl<T: Shareable> DerefMut for ArrayGuard<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let elements = self.held.memory();
        // SAFETY: as in `deref`, and the only guard is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(elements.data(), elements.len()) }
    }
}

impl<T: Shareable> Clone for Array<T> {
    /// The same array once more.
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Shareable> fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Array").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for ArrayGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: Shareable> Serialize for Array<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

impl<'de, T: Shareable> Deserialize<'de> for Array<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Arc::new(Elements::read(deserializer, Kind::Array, Access::ReadWrite)?)))
    }
}
