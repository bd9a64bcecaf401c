//! One object in shared memory of its own, and the handles to it.
//!
//! ```text
//!  Block ──► Inner ─► Memory (descriptor, to be sent) + Mapping ─► stamp │ words of the object
//!  Block ──►   ▲
//!              └── another process: Block ─► Inner ─► its own descriptor and mapping of the same memory
//! ```
//! A block is a serde value: what travels is the descriptor. The stamp says what kind of object of what type it is,
//! so that a lock that is read as another one is refused instead of misunderstood. The memory is gone with the last handle, whatever
//! killed its holders.

#![allow(unsafe_code)] // a mapping's bytes seen as the object

use crate::error::Error;
use crate::fnv::Fnv;
use crate::sys::Handle;
use crate::sys::memory::{Access, Mapping, Memory};
use crate::wire::handles;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// What an object in shared memory is made of.
///
/// # Safety
/// All that other processes can write to a living object is in atomics, in cells that a lock guards, or in what the
/// system's lock keeps; what is in cells has a valid value for all bits. Aligned to at most a page.
pub unsafe trait Words: Sized + Send + Sync + 'static {
    /// What kind of object it is, different for each.
    const KIND: u32;

    /// What people call it, for errors and `/proc/<pid>/maps`.
    const NAME: &'static str;
}

/// A handle to an object in shared memory.
pub struct Block<W: Words>(Arc<Inner<W>>);

struct Inner<W: Words> {
    memory: Memory,
    mapping: ManuallyDrop<Mapping>,
    /// How many locks the threads of this process hold by this mapping. A guard that is forgotten leaves it above zero,
    /// and then the mapping is left in place: the kernel's list of what a thread holds leads through it.
    held: AtomicU32,
    words: PhantomData<W>,
}

#[repr(C, align(64))]
struct Stamped<W> {
    stamp: AtomicU64,
    words: W,
}

impl<W: Words> Block<W> {
    /// A new object. `init` makes it in place, out of zeroed bytes.
    ///
    /// # Errors
    /// When the memory is refused, or by `init`.
    pub fn create(init: impl FnOnce(*mut W) -> io::Result<()>) -> Result<Self, Error> {
        let create = || {
            let memory = Memory::create(W::NAME, size_of::<Stamped<W>>())?;
            let mapping = Mapping::map(&memory, Access::ReadWrite)?;
            let stamped = stamped::<W>(&mapping);
            // SAFETY: duty: in bounds and aligned: the memory is as large and a mapping starts with a page. No reference
            // is made before `init` is through.
            let words = unsafe { &raw mut (*stamped).words };
            init(words)?;
            let block = Self::of(memory, mapping);
            // PAIR: `attach`; the handle is sent after this, which orders it.
            block.stamped().stamp.store(Self::stamp(), Relaxed);
            Ok(block)
        };
        create().map_err(|error: io::Error| Error::os(format!("cannot make a shared {}", W::NAME), error))
    }

    /// This process holds, or does not hold any more, a lock of the object that the kernel knows of.
    ///
    /// For objects with one lock: its holder is the only one to write this.
    #[inline]
    pub fn set_held(&self, held: bool) {
        // PAIR: the drop of the last handle, which the count of handles orders after it.
        self.0.held.store(u32::from(held), Relaxed);
    }

    /// The same for objects with many locks: this process holds one more.
    pub fn hold(&self) {
        // PAIR: as in `set_held`.
        self.0.held.fetch_add(1, Relaxed);
    }

    /// The opposite of [`hold`](Self::hold).
    pub fn let_go(&self) {
        // PAIR: as in `set_held`.
        self.0.held.fetch_sub(1, Relaxed);
    }

    fn attach(handle: Handle) -> io::Result<Self> {
        let memory = Memory::from_handle(handle, size_of::<Stamped<W>>())?;
        let mapping = Mapping::map(&memory, Access::ReadWrite)?;
        let block = Self::of(memory, mapping);
        // PAIR: `create`.
        if block.stamped().stamp.load(Relaxed) == Self::stamp() {
            Ok(block)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is not a {} of this type", W::NAME)))
        }
    }

    fn of(memory: Memory, mapping: Mapping) -> Self {
        const { assert!(align_of::<Stamped<W>>() <= 4096) };
        let mapping = ManuallyDrop::new(mapping);
        Self(Arc::new(Inner { memory, mapping, held: AtomicU32::new(0), words: PhantomData }))
    }

    #[inline]
    fn stamped(&self) -> &Stamped<W> {
        // SAFETY: duty: in bounds and aligned: as in `create` and `attach`; alive: the borrow of `self` keeps the mapping;
        // shareable: the contract of `Words`.
        unsafe { &*stamped(&self.0.mapping) }
    }

    fn stamp() -> u64 {
        fingerprint::<W>().wrapping_add(u64::from(W::KIND))
    }
}

#[allow(clippy::cast_ptr_alignment)] // a page is aligned enough
#[inline]
fn stamped<W>(mapping: &Mapping) -> *mut Stamped<W> {
    mapping.ptr().cast()
}

/// Says in another process of the family, which runs the same program, whether it means the same type.
pub fn fingerprint<T>() -> u64 {
    Fnv::new().text(std::any::type_name::<T>()).number(size_of::<T>() as u64).number(align_of::<T>() as u64).0
}

impl<W: Words> Deref for Block<W> {
    type Target = W;
    #[inline]
    fn deref(&self) -> &W {
        &self.stamped().words
    }
}

impl<W: Words> Clone for Block<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

// What a panic may leave half changed lies behind a lock, which says so.
impl<W: Words> UnwindSafe for Block<W> {}
impl<W: Words> RefUnwindSafe for Block<W> {}

impl<W: Words> fmt::Debug for Block<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:p}", W::NAME, self.stamped())
    }
}

impl<W: Words> Drop for Inner<W> {
    fn drop(&mut self) {
        // PAIR: `set_held`.
        if self.held.load(Relaxed) == 0 {
            // SAFETY: duty: dropped once and used no more: here is the only place, and it ends the only owner.
            unsafe { ManuallyDrop::drop(&mut self.mapping) };
        }
    }
}

impl<W: Words> Serialize for Block<W> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = handles::give(self.0.memory.handle()).map_err(ser::Error::custom)?;
        serializer.serialize_u32(place)
    }
}

impl<'de, W: Words> Deserialize<'de> for Block<W> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let place = u32::deserialize(deserializer)?;
        let handle = handles::take(place).map_err(de::Error::custom)?;
        Self::attach(handle).map_err(de::Error::custom)
    }
}
