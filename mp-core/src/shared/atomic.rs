//! std's atomics in shared memory.

#![allow(unsafe_code)] // an element of a mapping

use super::block::{Block, Kind};
use crate::error::Error;
use crate::sys::memory::Access;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32,
    AtomicU64, AtomicUsize,
};

/// An atomic that several processes share: `Atomic<AtomicU64>` is an `AtomicU64`.
///
/// ```
/// use mp::shm::Atomic;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[mp::task]
/// fn count(counter: &Atomic<AtomicU64>, times: u64) {
///     for _ in 0..times {
///         counter.fetch_add(1, Ordering::Relaxed);
///     }
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let counter = Atomic::new(AtomicU64::new(0))?;
///     mp::Pool::new(2)?.starmap(count, [(&counter, 1000); 4])?;
///     assert_eq!(counter.load(Ordering::Relaxed), 4000);
///     Ok(())
/// }
/// ```
pub struct Atomic<A: AtomicType>(Arc<Block<A>>);

/// The atomics of std that mean the same in every process: integers and `bool`, but no pointers.
pub trait AtomicType: sealed::Sealed + Send + Sync + 'static {}

mod sealed {
    /// Nobody else implements `AtomicType`.
    pub trait Sealed {}
}

macro_rules! atomics {
    ($($atomic:ident)+) => {$(
        impl sealed::Sealed for $atomic {}
        impl AtomicType for $atomic {}
    )+};
}

atomics! {
    AtomicBool AtomicI8 AtomicI16 AtomicI32 AtomicI64 AtomicIsize AtomicU8 AtomicU16 AtomicU32 AtomicU64 AtomicUsize
}

impl<A: AtomicType> Atomic<A> {
    /// Puts the atomic into shared memory of its own.
    ///
    /// # Errors
    /// If the system gives no memory.
    pub fn new(atomic: A) -> Result<Self, Error> {
        let block = Block::<A>::create(Kind::Atomic, 1)?;
        // SAFETY: duty: in bounds: there is one element; nobody else has the memory yet.
        unsafe { block.data().write(atomic) };
        Ok(Self(Arc::new(block)))
    }
}

impl<A: AtomicType> Deref for Atomic<A> {
    type Target = A;

    fn deref(&self) -> &A {
        // SAFETY: duty: in bounds, aligned, alive: one element while the borrow of `self` keeps it. Duty: valid and
        // shareable: the memory is read and written as this atomic only, which `Block::attach` checks.
        unsafe { &*self.0.data() }
    }
}

impl<A: AtomicType> Clone for Atomic<A> {
    /// The same atomic once more.
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: AtomicType + fmt::Debug> fmt::Debug for Atomic<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<A: AtomicType> Serialize for Atomic<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

impl<'de, A: AtomicType> Deserialize<'de> for Atomic<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let block = Block::read(deserializer, Kind::Atomic, Access::ReadWrite)?;
        if block.len() != 1 {
            return Err(serde::de::Error::custom("an atomic is one element"));
        }
        Ok(Self(Arc::new(block)))
    }
}
