//! Shared memory: an object of `shm_open` whose name is gone before anybody else has it.
//!
//! On macOS such an object gets its length once: nobody can make it shorter or longer after that, so that no access faults.
//! Its contents are sealed by giving up the descriptor that can write: what is sent from then on lets nobody write.

#![allow(unsafe_code)] // a copy from one mapping to another

use super::mapping::{corrupt, invalid, set_len};
use super::name::fresh;
use super::socket_flags::replace;
use super::{BorrowedHandle, Handle, borrow, shm};
use rustix::fs::{OFlags, fcntl_getfl, fstat};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

pub use super::access::Access;
pub use super::mapping::Mapping;

/// Anonymous memory that can be given to other processes by its handle.
#[derive(Debug)]
pub struct Memory {
    handle: Handle,
    /// What takes the place of `handle` once the contents are sealed: it was never able to write.
    reader: Mutex<Option<Handle>>,
    /// Somebody may have got a handle that can write.
    lent: AtomicBool,
    len: usize,
}

/// Asks for large pages for fresh room in a buffer: there is nobody to ask.
pub fn in_large_pages<T>(_: &mut [MaybeUninit<T>]) {}

/// How many processes the kernel has killed for want of memory: nobody counts.
pub fn oom_kills() -> Option<u64> {
    None
}

impl Memory {
    /// Zeroed memory that can neither shrink nor grow.
    pub fn create(_: &str, len: usize) -> io::Result<Self> {
        Self::make(len, false)
    }

    /// Zeroed memory that cannot shrink but may [`grow`](Self::grow).
    pub fn create_growable(_: &str, len: usize) -> io::Result<Self> {
        Self::make(len, false)
    }

    /// Zeroed memory that can neither shrink nor grow, and whose contents can be [sealed](Self::seal_contents).
    pub fn create_sealable(_: &str, len: usize) -> io::Result<Self> {
        Self::make(len, true)
    }

    fn make(len: usize, sealable: bool) -> io::Result<Self> {
        if len == 0 {
            return Err(invalid("shared memory of no bytes cannot be mapped"));
        }
        let (handle, reader) = fresh(|name| {
            let path = shm::path(name)?;
            let handle = shm::open(&path, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL)?;
            let reader = sealable.then(|| shm::open(&path, libc::O_RDONLY)).transpose();
            shm::unlink(&path)?;
            Ok((handle, reader?))
        })?;
        set_len(handle.as_fd(), len as u64)?;
        Ok(Self { handle, reader: Mutex::new(reader), lent: AtomicBool::new(false), len })
    }

    /// The same as [`create`](Self::create), for memory of which little will be used: who writes to it has
    /// [committed](Mapping::commit) the place.
    pub fn create_sparse(name: &str, len: usize) -> io::Result<Self> {
        Self::create(name, len)
    }

    /// From now on nobody can write here, in no process.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] when another process may have got a handle that can write: for good, as nobody can
    /// take it back.
    pub fn seal_contents(&self) -> io::Result<()> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        // PAIR: `handle`: who gave it out did so before this memory came to whoever seals it.
        if self.lent.load(Relaxed) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        match reader.take() {
            Some(reader) => replace(borrow(&self.handle), &reader),
            None => Err(invalid("the memory was not made to be sealed")),
        }
    }

    /// Whether nobody can write here any more.
    pub fn is_content_sealed(&self) -> bool {
        fcntl_getfl(&self.handle).is_ok_and(|flags| flags & OFlags::RWMODE == OFlags::RDONLY)
    }

    /// What tells this memory from all others, as long as somebody has it; `None` where the system does not say.
    #[allow(clippy::unused_self)] // the signature is that of systems that do
    pub fn identity(&self) -> Option<[u64; 4]> {
        None
    }

    /// Takes a handle from another process that says it is memory of at least `len` bytes, and believes nothing. The caller
    /// holds `len` against its limits.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when it is not what it claims to be.
    pub fn from_handle(handle: Handle, len: usize) -> io::Result<Self> {
        if !shm::is_memory(&handle) {
            return Err(corrupt("the handle is not shared memory"));
        }
        if len == 0 || u64::try_from(fstat(&handle)?.st_size).unwrap_or(0) < len as u64 {
            return Err(corrupt("the shared memory is smaller than its sender says"));
        }
        Ok(Self { handle, reader: Mutex::new(None), lent: AtomicBool::new(true), len })
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

    /// Makes it at least `len` bytes: another object with the same contents. Mappings made before stay as they are, and so
    /// do handles that were sent before.
    pub fn grow(&mut self, len: usize) -> io::Result<()> {
        if len > self.len {
            let larger = Self::make(len, false)?;
            let (from, to) = (Mapping::map(self, Access::Read)?, Mapping::map(&larger, Access::ReadWrite)?);
            // SAFETY: duty: in bounds and apart: two mappings of at least this length.
            unsafe { std::ptr::copy_nonoverlapping(from.ptr(), to.ptr(), self.len) };
            *self = larger;
        }
        Ok(())
    }

    /// An object keeps its pages: nothing happens. The system writes those to disk that nobody touches.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)] // the signature is that of systems that can
    pub fn discard(&self, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    /// How many bytes of it exist: the system does not tell.
    #[cfg(test)]
    #[allow(clippy::unused_self)] // the signature is that of systems that do
    pub fn resident(&self) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Whether [`discard`](Self::discard) makes it less.
    pub const SHRINKS: bool = false;

    /// How many bytes this process knows it to have.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The descriptor, to be sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        // PAIR: `seal_contents`.
        self.lent.store(true, Relaxed);
        borrow(&self.handle)
    }

    /// The descriptor, to be mapped here.
    pub fn own_handle(&self) -> BorrowedHandle<'_> {
        borrow(&self.handle)
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
