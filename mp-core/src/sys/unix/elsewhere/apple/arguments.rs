//! The arguments, of which std asks the system each time.

#![allow(unsafe_code)] // changes the count of arguments

use std::ffi::{OsStr, OsString};
use std::io;

/// This process's arguments, also before `main`.
pub fn arguments() -> Vec<OsString> {
    std::env::args_os().collect()
}

/// Removes the last argument if it is `expected`; whether it was.
#[allow(clippy::unnecessary_wraps)] // the signature is that of systems where it can fail
pub fn remove_last(expected: &OsStr) -> io::Result<bool> {
    if std::env::args_os().last().is_none_or(|last| last != expected) {
        return Ok(false);
    }
    // SAFETY: duty: valid words: the system names those of this process, for its whole life. Duty: nobody reads them at this
    // moment: `entry` is called before threads exist. The vector has one entry more than the count, which is null.
    unsafe {
        let (count, vector) = (libc::_NSGetArgc(), *libc::_NSGetArgv());
        *count -= 1;
        vector.offset(*count as isize).write(std::ptr::null_mut());
    }
    Ok(true)
}
