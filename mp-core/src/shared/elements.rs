//! Elements in a memory with a header that says what they are.
//!
//! ```text
//!  0 ┌─────────────────────────────────────────┐
//!    │ kind, element, length                   │  written once, before the memory is shared
//!    │ loans ▏ lock                            │
//!    ├─────────────────────────────────────────┤  HEADER_BYTES, rounded up to the alignment of T
//!    │ elements                                │
//!    └─────────────────────────────────────────┘
//! ```

#![allow(unsafe_code)] // a mapping's bytes seen as the header

use super::block::fingerprint;
use super::kept;
use super::lock::{LockLine, Locked};
use crate::clock::Time;
use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::raw::atomic::{AtomicU64, Ordering::Relaxed};
use crate::raw::loan::LoanWord;
use crate::sys::Handle;
use crate::sys::memory::{Access, Mapping, Memory};
use crate::wire::handles;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::thread;

/// What a memory is used for. A descriptor that is read as something else is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Sealed = 0x6d70_0001,
    Vector = 0x6d70_0002,
    Array = 0x6d70_0003,
}

#[repr(C, align(64))]
pub struct Header {
    kind: AtomicU64,
    element: AtomicU64,
    len: AtomicU64,
    pub loans: LoanWord,
    lock: LockLine,
}

/// Where the elements start, but for types of larger alignment.
const HEADER_BYTES: usize = size_of::<Header>();

#[cfg(not(loom))] // loom's atomics are large
const _: () = assert!(HEADER_BYTES == 128);

/// `len` elements of type `T` in shared memory, and the header before them.
pub struct Elements<T> {
    memory: Memory,
    mapping: Arc<Mapping>,
    len: usize,
    element: PhantomData<T>,
}

impl<T> Elements<T> {
    /// Zeroed memory.
    pub fn create(kind: Kind, len: usize) -> Result<Self, Error> {
        let bytes = total_bytes::<T>(len as u64).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("{len} elements of `{}` are more than memory can be", std::any::type_name::<T>()),
            )
        })?;
        let elements = Memory::create_sealable("mp-shm", bytes).and_then(|memory| {
            let mapping = Arc::new(Mapping::map(&memory, Access::ReadWrite)?);
            Ok(Self { memory, mapping, len, element: PhantomData })
        });
        let elements = elements.map_err(|error| cannot_make(bytes, error))?;
        let header = elements.header();
        header.kind.store(kind as u64, Relaxed);
        header.element.store(fingerprint::<T>(), Relaxed);
        header.len.store(len as u64, Relaxed);
        Ok(elements)
    }

    /// The same with a lock in it that nobody holds.
    pub fn create_locked(kind: Kind, len: usize) -> Result<Self, Error> {
        let elements = Self::create(kind, len)?;
        let place = (&raw const elements.header().lock).cast_mut();
        // SAFETY: duty: valid, aligned, unused, zero: a field of the header of a fresh memory that nobody else has yet.
        // Duty: it stays there: the memory lives while anyone has it.
        unsafe { LockLine::init(place) }.map_err(|error| Error::os("cannot make a lock", error))?;
        Ok(elements)
    }

    /// Takes memory that another process sent, if it is what its sender says.
    pub fn attach(handle: Handle, kind: Kind, len: u64, access: Access) -> io::Result<Self> {
        let corrupt = || io::Error::from(io::ErrorKind::InvalidData);
        let bytes = total_bytes::<T>(len).ok_or_else(corrupt)?;
        let memory = Memory::from_handle(handle, bytes)?;
        if access == Access::Sealed && !memory.is_content_sealed() {
            return Err(corrupt());
        }
        let mapping = match access {
            Access::Sealed => kept::view(&memory, bytes)?,
            Access::Read | Access::ReadWrite => Arc::new(Mapping::map(&memory, access)?),
        };
        let elements = Self { memory, mapping, len: len as usize, element: PhantomData };
        if elements.is(kind, len) { Ok(elements) } else { Err(corrupt()) }
    }

    /// Whether this is what the header says.
    fn is(&self, kind: Kind, len: u64) -> bool {
        let header = self.header();
        let told = (header.kind.load(Relaxed), header.element.load(Relaxed), header.len.load(Relaxed));
        told == (kind as u64, fingerprint::<T>(), len)
    }

    /// Seals the memory: it becomes one of kind [`Kind::Sealed`] that nobody can write any more.
    ///
    /// # Errors
    /// The system's, or that another process can still write there; with the memory, which is as it was.
    pub fn seal(self) -> Result<Self, (Memory, io::Error)> {
        self.header().kind.store(Kind::Sealed as u64, Relaxed);
        let len = self.len;
        let memory = self.unmapped();
        match seal_soon(&memory).and_then(|()| Mapping::map(&memory, Access::Sealed)) {
            Ok(mapping) => Ok(Self { memory, mapping: Arc::new(mapping), len, element: PhantomData }),
            Err(error) => Err((memory, error)),
        }
    }

    /// The memory, with the mapping gone.
    fn unmapped(self) -> Memory {
        self.memory
    }

    pub fn header(&self) -> &Header {
        #[allow(clippy::cast_ptr_alignment)] // a page is aligned enough
        let header = self.mapping.ptr().cast::<Header>();
        // SAFETY: duty: in bounds and aligned: `total_bytes` holds a header at a page's start; alive: the borrow of `self`
        // keeps the mapping; valid and shareable: atomics, and a lock that is made for it, all bits of which are valid.
        unsafe { &*header }
    }

    /// The first element. Valid for [`len`](Self::len) elements while this lives; who else may use them at the same time
    /// is for the caller to know.
    pub fn data(&self) -> *mut T {
        // SAFETY: duty: in bounds: the mapping has `total_bytes`, which is past the offset. Aligned: the offset is rounded
        // up, and pages are aligned further than any type that `total_bytes` lets through.
        unsafe { self.mapping.ptr().add(offset::<T>()).cast() }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Writes a descriptor of it into a message.
    pub fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = handles::give(self.memory.handle()).map_err(serde::ser::Error::custom)?;
        (place, self.len as u64).serialize(serializer)
    }

    /// Reads it from a message.
    pub fn read<'de, D: Deserializer<'de>>(
        deserializer: D,
        kind: Kind,
        access: Access,
    ) -> Result<Self, D::Error> {
        let (place, len) = <(u32, u64)>::deserialize(deserializer)?;
        Self::attach_at(place, kind, len, access)
    }

    /// Takes it from a place of a message, or as it was taken for a message that came with the same handles.
    pub fn attach_once<E: serde::de::Error>(
        place: u32,
        kind: Kind,
        len: u64,
        access: Access,
    ) -> Result<Arc<Self>, E>
    where
        T: 'static,
    {
        let attach = || Self::attach_at(place, kind, len, access).map(Arc::new);
        handles::once(place, |known: &Arc<Self>| known.is(kind, len), attach)
    }

    /// Takes it from a place of a message.
    pub fn attach_at<E: serde::de::Error>(
        place: u32,
        kind: Kind,
        len: u64,
        access: Access,
    ) -> Result<Self, E> {
        let handle = handles::take(place).map_err(E::custom)?;
        Self::attach(handle, kind, len, access).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => {
                E::custom("the shared memory is not what the type that reads it says")
            }
            _ => E::custom(format_args!("the shared memory cannot be mapped: {error}")),
        })
    }
}

impl<T> Locked for Arc<Elements<T>> {
    fn line(&self) -> &LockLine {
        &self.header().lock
    }
}

/// Seals the memory. A worker from which calls were taken back has answered the one before them, and may be about to let go.
fn seal_soon(memory: &Memory) -> io::Result<()> {
    let begun = Time::now();
    loop {
        match memory.seal_contents() {
            Err(error)
                if error.kind() == io::ErrorKind::ResourceBusy
                    && Time::now().since(begun) < limits::SEAL_WITHIN =>
            {
                thread::sleep(limits::SEAL_AGAIN);
            }
            sealed => return sealed,
        }
    }
}

/// Bytes of a memory of `len` elements, if there can be such a thing.
fn total_bytes<T>(len: u64) -> Option<usize> {
    let elements = usize::try_from(len).ok()?.checked_mul(size_of::<T>())?;
    let total = elements.checked_add(offset::<T>())?;
    (isize::try_from(total).is_ok() && align_of::<T>() <= 4096).then_some(total)
}

fn offset<T>() -> usize {
    HEADER_BYTES.next_multiple_of(align_of::<T>())
}

/// The error for memory that the system refuses.
pub fn cannot_make(bytes: usize, error: io::Error) -> Error {
    Error::os(format!("cannot make shared memory of {bytes} bytes"), error)
}

impl<T> fmt::Debug for Elements<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elements").field("len", &self.len).finish_non_exhaustive()
    }
}
