//! Objects of `shm_open`.

#![allow(unsafe_code)] // shm_open and shm_unlink

use super::{Handle, leaf};
use std::ffi::CString;
use std::io;
use std::os::fd::FromRawFd as _;

pub use leaf::shm::{KEEPS_LENGTH, is_memory};

/// The object with this name, closed on exec (POSIX has it so).
pub fn open(path: &CString, flags: libc::c_int) -> io::Result<Handle> {
    const OWNER: leaf::shm::Mode = 0o600;
    // SAFETY: duty: a name that ends in NUL: a live `CString`. Duty of the handle: it was made just now, so it is nobody
    // else's.
    unsafe {
        match libc::shm_open(path.as_ptr(), flags, OWNER) {
            -1 => Err(io::Error::last_os_error()),
            number => Ok(Handle::from_raw_fd(number)),
        }
    }
}

/// Removes a name.
pub fn unlink(path: &CString) -> io::Result<()> {
    // SAFETY: duty: a name that ends in NUL: a live `CString`.
    match unsafe { libc::shm_unlink(path.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A name as `shm_open` takes it.
pub fn path(name: &str) -> io::Result<CString> {
    Ok(CString::new(format!("/{name}"))?)
}
