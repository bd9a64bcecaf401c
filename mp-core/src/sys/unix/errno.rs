//! What the last system call of a thread has said, kept while a signal handler makes others.

#![allow(unsafe_code)] // the place where the C library keeps it

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
