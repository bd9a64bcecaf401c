//! Shared memory: a memfd that can never shrink, as on Linux.

use super::mapping::{corrupt, invalid, set_len};
use super::{BorrowedHandle, Handle, borrow};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, memfd_create};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

pub use super::access::Access;
pub use super::mapping::Mapping;

/// Anonymous memory that can be given to other processes by its handle.
#[derive(Debug)]
pub struct Memory {
    handle: Handle,
    len: usize,
}

/// Asks for large pages for fresh room in a buffer: the system gives them by itself.
pub fn in_large_pages<T>(_: &mut [MaybeUninit<T>]) {}

/// How many processes the kernel has killed for want of memory: nobody counts.
pub fn oom_kills() -> Option<u64> {
    None
}

impl Memory {
    /// Zeroed memory that can neither shrink nor grow.
    pub fn create(name: &str, len: usize) -> io::Result<Self> {
        let memory = Self::create_growable(name, len)?;
        fcntl_add_seals(&memory.handle, SealFlags::GROW | SealFlags::SEAL)?;
        Ok(memory)
    }

    /// Zeroed memory that cannot shrink but may [`grow`](Self::grow).
    pub fn create_growable(name: &str, len: usize) -> io::Result<Self> {
        if len == 0 {
            return Err(invalid("shared memory of no bytes cannot be mapped"));
        }
        let handle = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        set_len(handle.as_fd(), len as u64)?;
        fcntl_add_seals(&handle, SealFlags::SHRINK)?;
        Ok(Self { handle, len })
    }

    /// Zeroed memory that can neither shrink nor grow, and whose contents can be [sealed](Self::seal_contents).
    pub fn create_sealable(name: &str, len: usize) -> io::Result<Self> {
        let memory = Self::create_growable(name, len)?;
        fcntl_add_seals(&memory.handle, SealFlags::GROW)?;
        Ok(memory)
    }

    /// The same as [`create`](Self::create), for memory of which little will be used: who writes to it has
    /// [committed](Mapping::commit) the place.
    pub fn create_sparse(name: &str, len: usize) -> io::Result<Self> {
        Self::create(name, len)
    }

    /// From now on nobody can write here, in no process.
    ///
    /// # Errors
    /// [`io::ErrorKind::ResourceBusy`] while a writable mapping exists.
    pub fn seal_contents(&self) -> io::Result<()> {
        Ok(fcntl_add_seals(&self.handle, SealFlags::WRITE | SealFlags::SEAL)?)
    }

    /// Whether nobody can write here any more.
    pub fn is_content_sealed(&self) -> bool {
        fcntl_get_seals(&self.handle).is_ok_and(|seals| seals.contains(SealFlags::WRITE))
    }

    /// What tells this memory from all others, as long as somebody has it; `None` where the system does not say.
    #[allow(clippy::unused_self)] // the signature is that of systems that do
    pub fn identity(&self) -> Option<[u64; 4]> {
        None
    }

    /// Takes a handle from another process that says it is memory of at least `len` bytes, and believes nothing: it
    /// must be sealed against shrinking, which only such memory can be. The caller holds `len` against its limits.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when it is not what it claims to be.
    pub fn from_handle(handle: Handle, len: usize) -> io::Result<Self> {
        // Order: once the seal is seen, the size that is read afterwards cannot become less.
        if !fcntl_get_seals(&handle).is_ok_and(|seals| seals.contains(SealFlags::SHRINK)) {
            return Err(corrupt("the handle is not memory that is sealed against shrinking"));
        }
        if len == 0 || u64::try_from(fstat(&handle)?.st_size).unwrap_or(0) < len as u64 {
            return Err(corrupt("the shared memory is smaller than its sender says"));
        }
        Ok(Self { handle, len })
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

    /// Makes it at least `len` bytes. Mappings made before stay as they are.
    pub fn grow(&mut self, len: usize) -> io::Result<()> {
        if len > self.len {
            set_len(self.handle.as_fd(), len as u64)?;
            self.len = len;
        }
        Ok(())
    }

    /// Memory keeps its pages: nothing happens. The system writes those to disk that nobody touches.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)] // the signature is that of systems that can
    pub fn discard(&self, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    /// How many bytes of it exist: nobody asks, as it keeps its pages.
    #[cfg(test)]
    #[allow(clippy::unused_self)] // the signature is that of systems that give pages back
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
        borrow(&self.handle)
    }

    /// The descriptor, to be mapped here.
    pub fn own_handle(&self) -> BorrowedHandle<'_> {
        borrow(&self.handle)
    }
}
