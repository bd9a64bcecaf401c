//! std's atomics in shared memory.

#![allow(unsafe_code)] // the promise that atomics may be shared

use super::block::{Block, Words};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Deref;
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
#[allow(clippy::unsafe_derive_deserialize, reason = "`Block` checks what arrives")]
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Atomic<A: AtomicType>(Block<AtomicWord<A>>);

#[repr(transparent)]
struct AtomicWord<A>(A);

// SAFETY: duty: what others write is in atomics: all of it is. `AtomicBool` has bits that are no value, but the memory is
// written as this atomic only: `Block` refuses one that is sent as another type.
unsafe impl<A: AtomicType> Words for AtomicWord<A> {
    const KIND: u32 = 10;
    const NAME: &'static str = "atomic";
}

/// The atomics of std that mean the same in every process: integers and `bool`, but no pointers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an atomic of std that means the same in every process",
    label = "expected `AtomicU64` or another atomic integer, or `AtomicBool`",
    note = "`Atomic::new` takes the atomic: `Atomic::new(AtomicU64::new(0))`"
)]
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
        let block = Block::create(|word: *mut AtomicWord<A>| {
            // SAFETY: duty: valid and unused: `Block::create` says so of what it passes.
            unsafe { word.write(AtomicWord(atomic)) };
            Ok(())
        })?;
        Ok(Self(block))
    }
}

impl<A: AtomicType> Deref for Atomic<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.0.0
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
