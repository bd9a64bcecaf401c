//! Memory that nobody can write any more.

#![allow(unsafe_code)] // a slice of a mapping

use super::elements::{Elements, Kind};
use super::shareable::Shareable;
use super::vector::SharedVec;
use crate::error::Error;
use crate::sys::memory::Access;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Data that many processes read in place, sent as a descriptor: `Shared<[f64]>`.
///
/// It is written once and then sealed by the kernel, so that no process can change it: it is a slice wherever it is. Clones
/// and copies in other processes show the same memory, which goes when the last of them does. On Linux a worker of a pool keeps
/// what it was sent last in view until calls are over that do not use it, or it has had nothing to do for 0.1 s: to send the same
/// again costs nothing then.
///
/// ```
/// use mp::shm::Shared;
///
/// #[mp::task]
/// fn sum(numbers: Shared<[u32]>, from: usize, to: usize) -> u32 {
///     numbers[from..to].iter().sum()
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let numbers: Shared<[u32]> = Shared::from_slice(&[1, 2, 3, 4])?;
///     let pool = mp::Pool::new(2)?;
///     assert_eq!(pool.starmap(sum, [(&numbers, 0, 2), (&numbers, 2, 4)])?, [3, 7]);
///     Ok(())
/// }
/// ```
pub struct Shared<S: Content + ?Sized>(Arc<Elements<S::Element>>);

/// What a [`Shared`] may hold: `[T]` for every [`Shareable`] type `T`.
pub trait Content: closed::Sealed {
    /// The type of the elements.
    type Element: Shareable;
}

mod closed {
    /// Nobody else implements `Content`.
    pub trait Sealed {}
    impl<T: super::Shareable> Sealed for [T] {}
}

impl<T: Shareable> Content for [T] {
    type Element = T;
}

impl<T: Shareable> Shared<[T]> {
    /// A copy of `elements` in memory that can be shared.
    ///
    /// # Errors
    /// If the system gives no memory.
    pub fn from_slice(elements: &[T]) -> Result<Self, Error> {
        SharedVec::from_slice(elements)?.into_shared()
    }

    /// What an iterator yields, in memory that can be shared.
    ///
    /// # Errors
    /// If the system gives no memory.
    #[allow(clippy::should_implement_trait, reason = "it can fail")]
    pub fn from_iter(elements: impl IntoIterator<Item = T>) -> Result<Self, Error> {
        Self::from_slice(&elements.into_iter().collect::<Vec<T>>())
    }

    pub(super) fn new(elements: Elements<T>) -> Self {
        Self(Arc::new(elements))
    }
}

impl<T: Shareable> Deref for Shared<[T]> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: duty: in bounds, aligned, alive: `Elements::data` for `len` elements while the borrow of `self` keeps it.
        // Duty: unchanging: `Elements::seal` and `Elements::attach` let through nothing but memory that the kernel lets no
        // process write. Duty: valid: all bits are, by `Shareable`.
        unsafe { std::slice::from_raw_parts(self.0.data(), self.0.len()) }
    }
}

impl<S: Content + ?Sized> Clone for Shared<S> {
    /// The same memory once more; no element is copied.
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for Shared<[T]> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<S: Content + ?Sized> Serialize for Shared<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        self.0.write(serializer)
    }
}

impl<'de, S: Content + ?Sized> Deserialize<'de> for Shared<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (place, len) = <(u32, u64)>::deserialize(deserializer)?;
        Elements::attach_once(place, Kind::Sealed, len, Access::Sealed).map(Self)
    }
}
