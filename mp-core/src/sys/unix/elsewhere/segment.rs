//! Memory that is read and written by copying, with a name or without one.
//!
//! Where what has a name can be made shorter by whoever may open it, it is never mapped: a mapping would fault.

use super::mapping::{Mapping, check_file_limit, corrupt, set_len};
use super::memory::{Access, Memory};
use super::{BorrowedHandle, Handle, shm};
use rustix::fs::fstat;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

/// Bytes that several processes can open.
#[derive(Debug)]
pub struct Segment {
    file: File,
    /// Where its objects cannot be read and written by descriptor.
    mapping: Option<Mapping>,
    len: u64,
}

impl Segment {
    /// Zeroed bytes without a name.
    pub fn create(len: usize) -> io::Result<Self> {
        let memory = Memory::create("mp-shm", len)?;
        Self::from_handle(memory.handle().try_clone_to_owned()?)
    }

    /// Zeroed bytes with a name that nothing has, for this user only. Who opens it before it has its length finds none.
    pub fn create_named(name: &str, len: usize) -> io::Result<Self> {
        let path = shm::path(name)?;
        let handle = shm::open(&path, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL)?;
        let made = set_len(handle.as_fd(), len as u64);
        made.and_then(|()| Self::from_handle(handle)).inspect_err(|_| {
            let _ = shm::unlink(&path);
        })
    }

    /// The bytes with this name.
    pub fn open_named(name: &str) -> io::Result<Self> {
        let segment = Self::from_handle(shm::open(&shm::path(name)?, libc::O_RDWR)?)?;
        if segment.len == 0 { Err(io::ErrorKind::NotFound.into()) } else { Ok(segment) }
    }

    /// Takes a handle from another process, if it is one of memory.
    pub fn from_handle(handle: Handle) -> io::Result<Self> {
        if !shm::is_memory(&handle) {
            return Err(corrupt("it is not memory"));
        }
        let len = u64::try_from(fstat(&handle)?.st_size).unwrap_or(0);
        let mapping = (shm::KEEPS_LENGTH && len > 0).then(|| {
            let len = usize::try_from(len).map_err(io::Error::other)?;
            Mapping::of(handle.as_fd(), len, Access::ReadWrite)
        });
        Ok(Self { mapping: mapping.transpose()?, file: handle.into(), len })
    }

    /// How many bytes there were when it was made or opened: whole pages, where the system has nothing less.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Copies bytes out.
    pub fn read(&self, offset: u64, target: &mut [u8]) -> io::Result<()> {
        let Some(mapping) = &self.mapping else { return self.file.read_exact_at(target, offset) };
        let mut bytes = Vec::new();
        mapping.copy_out(usize::try_from(offset).map_err(io::Error::other)?, target.len(), &mut bytes)?;
        target.copy_from_slice(&bytes);
        Ok(())
    }

    /// Copies bytes in.
    pub fn write(&self, offset: u64, source: &[u8]) -> io::Result<()> {
        let Some(mapping) = &self.mapping else {
            check_file_limit(offset.saturating_add(source.len() as u64))?;
            return self.file.write_all_at(source, offset);
        };
        mapping.copy_in(usize::try_from(offset).map_err(io::Error::other)?, source)
    }

    /// The descriptor, to be sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.file.as_fd()
    }

    /// Removes the name, if it still means these bytes. macOS does not number its objects: there it goes by their length.
    pub fn unlink_own(&self, name: &str) -> io::Result<()> {
        let path = shm::path(name)?;
        let (ours, named) = (fstat(&self.file)?, fstat(shm::open(&path, libc::O_RDONLY)?)?);
        let is_same = (ours.st_dev, ours.st_ino, ours.st_size) == (named.st_dev, named.st_ino, named.st_size);
        if is_same { shm::unlink(&path) } else { Ok(()) }
    }
}

/// Removes a name. The bytes stay for who has them.
pub fn unlink_named(name: &str) -> io::Result<()> {
    shm::unlink(&shm::path(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_the_same_bytes_until_it_is_removed() {
        let name = format!("mp-test-{}", std::process::id());
        let one = Segment::create_named(&name, 4096).expect("a new name");
        assert_eq!(
            Segment::create_named(&name, 4096).expect_err("taken").kind(),
            io::ErrorKind::AlreadyExists
        );
        let other = Segment::open_named(&name).expect("there");
        one.write(4000, b"hello").expect("in bounds");
        let mut bytes = [0; 5];
        other.read(4000, &mut bytes).expect("in bounds");
        assert_eq!((&bytes, other.len() >= 4096), (b"hello", true));
        assert!(one.write(u64::MAX, b"x").is_err());
        one.unlink_own(&name).expect("still there");
        assert_eq!(Segment::open_named(&name).expect_err("gone").kind(), io::ErrorKind::NotFound);
        let next = Segment::create_named(&name, 8192 * 8).expect("free again");
        one.unlink_own(&name).expect("somebody else's now");
        assert_eq!(Segment::open_named(&name).expect("there").len(), next.len());
        unlink_named(&name).expect("there");
        assert_eq!(unlink_named(&name).expect_err("gone").kind(), io::ErrorKind::NotFound);
    }
}
