//! What `ps` and `top` call a thread.

#![allow(unsafe_code)] // pthread_setname_np

use std::ffi::CString;
use std::io;

/// Names this thread: the first 19 bytes.
pub fn set_name(name: &str) -> io::Result<()> {
    let name = CString::new(name)?;
    // SAFETY: duty: a name that ends in NUL: a live `CString`; this thread lives.
    match unsafe { libc::pthread_setname_np(libc::pthread_self(), name.as_ptr()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}
