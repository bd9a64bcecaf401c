//! A handle that becomes readable when rung.

#![allow(unsafe_code)] // mkfifo: rustix has none on every system

use super::name;
use super::{BorrowedHandle, Handle};
use rustix::fs::{Mode, OFlags, open, unlink};
use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

/// A bell: a FIFO that is open for reading and writing, so that one descriptor does both, for every process that has it.
/// [`ring`](Self::ring) makes its handle readable until somebody [`clear`](Self::clear)s it. Rings are not counted.
#[derive(Debug)]
pub struct Bell(Handle);

impl Bell {
    /// A silent bell. It has a name in the directory for temporary files while this call lasts.
    pub fn new() -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        name::fresh(|name| {
            let path = CString::new(name::path(name).as_os_str().as_bytes())?;
            // SAFETY: duty: a name that ends in NUL: a live `CString`.
            if unsafe { libc::mkfifo(path.as_ptr(), 0o600) } != 0 {
                return Err(io::Error::last_os_error());
            }
            let opened = open(&path, flags, Mode::empty());
            let _ = unlink(&path);
            Ok(Self(opened?))
        })
    }

    /// Takes a descriptor that is known to be a bell of another process.
    pub fn from_handle(handle: Handle) -> Self {
        Self(handle)
    }

    /// The descriptor, to be polled or sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.0.as_fd()
    }

    /// Makes the handle readable. Never waits, and is async-signal-safe but for `errno`: one `write`, no allocation.
    pub fn ring(&self) {
        // The write can only fail when the FIFO is full, and then the bell is ringing already.
        let _ = rustix::io::write(&self.0, &[1]);
    }

    /// Makes the handle silent; whether it rang.
    pub fn clear(&self) -> bool {
        let mut rang = false;
        let mut room = [0; 512];
        loop {
            match rustix::io::read(&self.0, &mut room) {
                Ok(0) => return rang,
                Ok(count) => {
                    rang = true;
                    if count < room.len() {
                        return rang;
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return rang,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bells_that_are_made_in_one_moment_are_not_one() {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let (rung, silent) = (Bell::new().expect("a bell"), Bell::new().expect("another"));
                        rung.ring();
                        assert!(!silent.clear());
                        assert!(rung.clear(), "somebody else has it");
                    }
                });
            }
        });
    }

    #[test]
    fn a_bell_that_was_rung_for_long_is_silent_after_one_clear() {
        let bell = Bell::new().expect("a bell");
        assert!(!bell.clear());
        for _ in 0..100_000 {
            bell.ring();
        }
        let copy = Bell::from_handle(bell.handle().try_clone_to_owned().expect("a copy"));
        assert!(copy.clear());
        assert!(!bell.clear());
    }
}
