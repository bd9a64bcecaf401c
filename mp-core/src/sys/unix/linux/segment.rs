//! Memory that is read and written by copying, with a name or without one.
//!
//! What has a name can be made shorter by whoever may open it, and a mapping of it would then fault. So it is never mapped.

use super::super::mapping::{check_file_limit, set_len};
use super::super::{BorrowedHandle, Handle};
use super::memory::Memory;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fstat, linkat, open, stat, unlink};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;

/// Where names are.
const FOLDER: &str = "/dev/shm/";

/// Bytes that several processes can open.
#[derive(Debug)]
pub struct Segment {
    file: File,
    len: u64,
}

impl Segment {
    /// Zeroed bytes without a name.
    pub fn create(len: usize) -> io::Result<Self> {
        let memory = Memory::create("mp-shm", len)?;
        Self::from_handle(memory.handle().try_clone_to_owned()?)
    }

    /// Zeroed bytes with a name that nothing has, for this user only. It has its full length before it has its name.
    pub fn create_named(name: &str, len: usize) -> io::Result<Self> {
        let file = open(FOLDER, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)?;
        set_len(file.as_fd(), len as u64)?;
        let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
        linkat(CWD, &unnamed, CWD, path(name), AtFlags::SYMLINK_FOLLOW).map_err(|error| match error {
            Errno::NOENT => {
                io::Error::new(error.kind(), format!("there is no {unnamed}, mount /proc: {error}"))
            }
            other => other.into(),
        })?;
        Ok(Self { file: file.into(), len: len as u64 })
    }

    /// The bytes with this name.
    pub fn open_named(name: &str) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        Self::from_handle(open(path(name), flags, Mode::empty())?)
    }

    /// Takes a handle from another process, if it is one of a file.
    pub fn from_handle(handle: Handle) -> io::Result<Self> {
        let found = fstat(&handle)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not memory"));
        }
        Ok(Self { len: u64::try_from(found.st_size).unwrap_or(0), file: handle.into() })
    }

    /// How many bytes there were when it was made or opened.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Copies bytes out.
    pub fn read(&self, offset: u64, target: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(target, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(
                error.kind(),
                format!("it had {} bytes, and somebody has shortened it", self.len),
            ),
            _ => error,
        })
    }

    /// Copies bytes in.
    pub fn write(&self, offset: u64, source: &[u8]) -> io::Result<()> {
        check_file_limit(offset.saturating_add(source.len() as u64))?;
        self.file.write_all_at(source, offset)
    }

    /// The descriptor, to be sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.file.as_fd()
    }

    /// Removes the name, if it still means these bytes.
    pub fn unlink_own(&self, name: &str) -> io::Result<()> {
        let (ours, named) = (fstat(&self.file)?, stat(path(name))?);
        if (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino) { unlink_named(name) } else { Ok(()) }
    }
}

/// Removes a name. The bytes stay for who has them.
pub fn unlink_named(name: &str) -> io::Result<()> {
    Ok(unlink(path(name))?)
}

fn path(name: &str) -> String {
    format!("{FOLDER}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_what_was_cut_off_is_told_so() {
        let name = format!("mp-cut-off-{}", std::process::id());
        let segment = Segment::create_named(&name, 100).expect("memory");
        unlink_named(&name).expect("it is ours");
        rustix::fs::ftruncate(segment.handle(), 60).expect("it is ours");
        segment.read(0, &mut [0; 60]).expect("they are there");
        let refused = segment.read(50, &mut [0; 20]).expect_err("ten are missing").to_string();
        assert_eq!(refused, "it had 100 bytes, and somebody has shortened it");
    }
}
