//! What the system tells of a process.

#![allow(unsafe_code)] // proc_pidinfo

use std::io;

/// What `proc_pidinfo` can fill in.
///
/// # Safety
/// All bits are valid, and it is what the flavor that it is asked with fills in.
pub unsafe trait Filled {}

// SAFETY: duty: all bits are valid: integers.
unsafe impl Filled for libc::proc_taskinfo {}
// SAFETY: duty: as above.
unsafe impl Filled for libc::proc_bsdinfo {}
// SAFETY: duty: as above.
unsafe impl Filled for libc::proc_threadinfo {}

/// What is asked about the process `pid`.
pub fn of<T: Filled>(pid: libc::pid_t, flavor: libc::c_int, argument: u64) -> io::Result<T> {
    let mut found = std::mem::MaybeUninit::<T>::zeroed();
    let len = const { size_of::<T>() as u32 }.cast_signed();
    // SAFETY: duty: a valid pointer to so many bytes: a live local. Duty: initialised: zeroes are valid by `Filled`, and the
    // system writes valid ones.
    unsafe {
        match libc::proc_pidinfo(pid, flavor, argument, found.as_mut_ptr().cast(), len) {
            filled if filled == len => Ok(found.assume_init()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
