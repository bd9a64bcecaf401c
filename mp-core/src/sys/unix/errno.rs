//! What system calls say: what to do about it; and the last of it, kept while a signal handler makes others.

#![allow(unsafe_code)] // the place where the C library keeps it

use std::io;

/// The same error, with what to look at if it says that there is no room for another process or thread, or in it.
pub(super) fn no_process_made(error: io::Error) -> io::Error {
    let why = match error.raw_os_error() {
        Some(libc::EAGAIN) => {
            "this user or control group may have no more processes and threads (`ulimit -u`, `pids.max`)"
        }
        Some(libc::E2BIG) => {
            "its environment variables and arguments are too long (Linux takes 128 KiB for one, and a quarter of `ulimit -s` for \
             all): pass what is large to a task"
        }
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{why}: {error}"))
}

/// What there is to know about an error besides its text.
pub fn advice(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error() {
        Some(libc::EMFILE) => Some("this process may have no more descriptors (`ulimit -n`)"),
        Some(libc::ENFILE) => Some("this system may have no more open files (`fs.file-max`)"),
        _ => None,
    }
}

/// Puts back at its end what was there at its beginning. Async-signal-safe.
#[derive(Debug)]
pub(super) struct KeptErrno(libc::c_int);

impl KeptErrno {
    /// Keeps what is there.
    pub fn new() -> Self {
        // SAFETY: duty: a readable word of this thread: the C library names one.
        Self(unsafe { *place() })
    }
}

impl Drop for KeptErrno {
    fn drop(&mut self) {
        // SAFETY: duty: a writable word of this thread: the C library names one.
        unsafe { *place() = self.0 };
    }
}

fn place() -> *mut libc::c_int {
    // SAFETY: duty: none, the call takes nothing and is async-signal-safe: the C library keeps it.
    unsafe {
        #[cfg(target_os = "linux")]
        return libc::__errno_location();
        #[cfg(not(target_os = "linux"))]
        return libc::__error();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_make_no_other_process_hears_where_to_look() {
        let said = |number| no_process_made(io::Error::from_raw_os_error(number)).to_string();
        assert!(said(libc::EAGAIN).contains("`ulimit -u`"), "{}", said(libc::EAGAIN));
        assert!(said(libc::E2BIG).contains("environment variables"), "{}", said(libc::E2BIG));
        assert_eq!(said(libc::ENOMEM), io::Error::from_raw_os_error(libc::ENOMEM).to_string());
    }
}
