//! What tools call a thread.

#![allow(unsafe_code)] // pthread_setname_np

use std::ffi::CString;
use std::io;

/// Names this thread: the first 63 bytes.
pub fn set_name(name: &str) -> io::Result<()> {
    const LONGEST: usize = 63;
    let name = CString::new(&name.as_bytes()[..name.len().min(LONGEST)])?;
    // SAFETY: duty: a name that ends in NUL: a live `CString`.
    match unsafe { libc::pthread_setname_np(name.as_ptr()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}
