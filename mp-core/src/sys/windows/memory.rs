//! Shared memory (sections of the paging file) and its mappings.

#![allow(unsafe_code)] // the contract of `Mapping::slice`, and copies

use super::call::{number, owned};
use super::view::{self, Commit, View};
use super::{BorrowedHandle, Handle, borrow};
use std::io;
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use windows_sys::Win32::Foundation::DuplicateHandle;
use windows_sys::Win32::System::Memory::{FILE_MAP_READ, SECTION_QUERY};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

/// What a mapping may be used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading only; a write faults.
    Read,
    /// Reading and writing.
    ReadWrite,
    /// Reading memory that nobody can write any more.
    Sealed,
}

/// Anonymous memory (a section) that can be given to other processes by its handle. A section never changes its size.
#[derive(Debug)]
pub struct Memory {
    handle: Handle,
    /// What is sent once the contents are sealed: nobody can map it for writing.
    sealed: OnceLock<Handle>,
    len: usize,
}

/// How many processes the kernel has killed for want of memory: nobody is killed for that here.
pub fn oom_kills() -> Option<u64> {
    None
}

/// Asks for large pages for fresh room in a buffer: they are for those only who may lock memory.
pub fn in_large_pages<T>(_: &mut [MaybeUninit<T>]) {}

impl Memory {
    /// Zeroed memory that can neither shrink nor grow.
    pub fn create(_: &str, len: usize) -> io::Result<Self> {
        if len == 0 {
            return Err(invalid("shared memory of no bytes cannot be mapped"));
        }
        Ok(Self { handle: view::create(len, None, Commit::All)?, sealed: OnceLock::new(), len })
    }

    /// The same, but that it takes nothing from what the system has to give before a place is
    /// [committed](Mapping::commit); a touch before that faults.
    pub fn create_sparse(_: &str, len: usize) -> io::Result<Self> {
        if len == 0 {
            return Err(invalid("shared memory of no bytes cannot be mapped"));
        }
        Ok(Self { handle: view::create(len, None, Commit::Later)?, sealed: OnceLock::new(), len })
    }

    /// Zeroed memory that cannot shrink but may [`grow`](Self::grow).
    pub fn create_growable(name: &str, len: usize) -> io::Result<Self> {
        Self::create(name, len)
    }

    /// Zeroed memory that can neither shrink nor grow, and whose contents can be [sealed](Self::seal_contents).
    pub fn create_sealable(name: &str, len: usize) -> io::Result<Self> {
        Self::create(name, len)
    }

    /// From now on nobody can write here, in no process of the family: what is sent has no right to, and `Mapping`
    /// refuses those who were sent it before.
    ///
    /// # Errors
    /// [`io::ErrorKind::ResourceBusy`] while a writable mapping exists.
    pub fn seal_contents(&self) -> io::Result<()> {
        View::seal(borrow(&self.handle))?;
        let mut made = std::ptr::null_mut();
        // SAFETY: duty: valid handles: the pseudo handle of this process, and ours; a valid pointer: a live local. Duty of
        // `owned`: it was made just now.
        let reader = unsafe {
            let this = GetCurrentProcess();
            let rights = FILE_MAP_READ | SECTION_QUERY;
            DuplicateHandle(this, number(borrow(&self.handle)), this, &raw mut made, rights, 0, 0);
            owned(made)?
        };
        let _ = self.sealed.set(reader);
        Ok(())
    }

    /// Whether nobody can write here any more.
    pub fn is_content_sealed(&self) -> bool {
        View::reading(borrow(&self.handle)).is_ok_and(|view| view.is_sealed())
    }

    /// What tells this memory from all others, as long as somebody has it; `None` where the system does not say.
    #[allow(clippy::unused_self)] // the signature is that of systems that do
    pub fn identity(&self) -> Option<[u64; 4]> {
        None
    }

    /// Takes a handle from another process that says it is memory of at least `len` bytes, and believes nothing: it
    /// must be such memory. The caller holds `len` against its limits.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when it is not what it claims to be.
    pub fn from_handle(handle: Handle, len: usize) -> io::Result<Self> {
        let found = View::reading(borrow(&handle)).and_then(|view| view.len());
        let found = found.map_err(|_| corrupt("the handle is not memory of ours"))?;
        if len == 0 || found < len {
            return Err(corrupt("the shared memory is smaller than its sender says"));
        }
        Ok(Self { handle, sealed: OnceLock::new(), len })
    }

    /// Writes these pieces one behind the other, from the start on.
    pub fn fill<'p>(&self, pieces: impl Iterator<Item = &'p [u8]>) -> io::Result<()> {
        let mapping = Mapping::map(self, Access::ReadWrite)?;
        let mut at = 0;
        for piece in pieces {
            mapping.copy_in(at, piece)?;
            at += piece.len();
        }
        Ok(())
    }

    /// Appends all its bytes to `bytes`: a snapshot that nobody can change any more.
    pub fn read(&self, bytes: &mut Vec<u8>) -> io::Result<()> {
        Mapping::map(self, Access::Read)?.copy_out(0, self.len, bytes)
    }

    /// Makes it at least `len` bytes: another section with the same contents. Mappings made before stay as they are, and so
    /// do handles that were sent before.
    pub fn grow(&mut self, len: usize) -> io::Result<()> {
        if len > self.len {
            let larger = Self::create("", len)?;
            let (from, to) = (Mapping::map(self, Access::Read)?, Mapping::map(&larger, Access::ReadWrite)?);
            // SAFETY: duty: in bounds and apart: two mappings of at least this length.
            unsafe { std::ptr::copy_nonoverlapping(from.ptr(), to.ptr(), self.len) };
            *self = larger;
        }
        Ok(())
    }

    /// A section keeps the pages that it has: nothing happens. The system writes those to the paging file that nobody touches.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)] // the signature is that of systems that can
    pub fn discard(&self, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    /// How many bytes of it are committed.
    #[cfg(test)]
    pub fn resident(&self) -> io::Result<u64> {
        Ok(View::reading(self.handle())?.committed() as u64)
    }

    /// Whether [`discard`](Self::discard) makes it less.
    pub const SHRINKS: bool = false;

    /// The handle, to be sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        borrow(self.sealed.get().unwrap_or(&self.handle))
    }
}

/// Memory made visible in this process.
///
/// Other processes may write to it at any moment, so there is no `&[u8]` of it: bytes are copied in and out, shared
/// words are reached as atomics through [`ptr`](Self::ptr).
#[derive(Debug)]
pub struct Mapping {
    view: View,
    len: usize,
    access: Access,
}

impl Mapping {
    /// Maps all of `memory`. The mapping outlives the handle.
    pub fn map(memory: &Memory, access: Access) -> io::Result<Self> {
        let view = match access {
            Access::ReadWrite => View::writing(memory.handle())?,
            Access::Read | Access::Sealed => View::reading(memory.handle())?,
        };
        if view.len()? < memory.len {
            return Err(corrupt("the shared memory is smaller than its sender says"));
        }
        Ok(Self { view, len: memory.len, access })
    }

    /// The first byte; page-aligned. Valid for reads, and for writes if mapped so, of [`len`](Self::len) bytes while
    /// this mapping lives.
    #[inline]
    pub fn ptr(&self) -> *mut u8 {
        self.view.start().as_ptr()
    }

    /// Has the system find memory for a part of what was made with [`Memory::create_sparse`]: for all processes, and for good.
    ///
    /// # Errors
    /// When there is none. [`io::ErrorKind::InvalidInput`] when out of bounds.
    pub fn commit(&self, offset: usize, len: usize) -> io::Result<()> {
        if !self.holds(offset, len) {
            return Err(invalid("a part of shared memory out of bounds"));
        }
        self.view.commit(offset, len)
    }

    /// How many bytes are mapped.
    #[allow(clippy::len_without_is_empty)] // never empty
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Copies `bytes` to `offset`. What another process writes there at the same time gives a mixture.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when they do not fit or the mapping is not writable.
    pub fn copy_in(&self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        if !self.holds(offset, bytes.len()) || self.access != Access::ReadWrite {
            return Err(invalid("a copy into shared memory out of bounds"));
        }
        // SAFETY: duty: source and target are valid for the length and apart: the source is a live slice of ours, the
        // target in bounds and writable by the line above, and no `&[u8]` into a mapping exists but by `slice`, whose
        // caller answers for it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.ptr().add(offset), bytes.len()) };
        Ok(())
    }

    /// Appends `len` bytes from `offset` to `bytes`: a snapshot that nobody can change any more.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when out of bounds, [`io::ErrorKind::OutOfMemory`] when there is no room for a copy:
    /// the length may be what a worker claims.
    pub fn copy_out(&self, offset: usize, len: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        if !self.holds(offset, len) {
            return Err(invalid("a copy out of shared memory out of bounds"));
        }
        bytes.try_reserve(len)?;
        // SAFETY: duty: source and target are valid for the length and apart: the source is in bounds by the check
        // above, the target is the spare room just reserved in a vector of ours. Duty of `set_len`: the bytes are
        // written, by the copy.
        unsafe {
            std::ptr::copy_nonoverlapping(self.ptr().add(offset), bytes.as_mut_ptr().add(bytes.len()), len);
            bytes.set_len(bytes.len() + len);
        }
        Ok(())
    }

    /// The bytes in place.
    ///
    /// # Safety
    /// `offset..offset + len` must be in bounds, and nobody, in this process or another, may write there while the
    /// slice lives.
    pub unsafe fn slice(&self, offset: usize, len: usize) -> &[u8] {
        debug_assert!(self.holds(offset, len));
        // SAFETY: duty: in bounds, initialised (the system zeroes pages) and unchanging: the caller by the contract;
        // alive: the borrow of `self` keeps the mapping.
        unsafe { std::slice::from_raw_parts(self.ptr().add(offset), len) }
    }

    fn holds(&self, offset: usize, len: usize) -> bool {
        offset.checked_add(len).is_some_and(|end| end <= self.len)
    }
}

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

fn corrupt(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
