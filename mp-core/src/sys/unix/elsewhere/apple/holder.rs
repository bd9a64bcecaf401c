//! Who holds a lock: a thread by the number that the system gives to no other until it is started again, and its process.

#![allow(unsafe_code)] // pthread_threadid_np

use super::info;
use std::io;

/// `PROC_PIDTHREADID64INFO` of `sys/proc_info.h`.
const THREAD_BY_ID: libc::c_int = 15;

/// Threads that can be told apart: more than a machine starts in its life.
const THREAD_BITS: u32 = 38;

/// This thread in an owner word, of which the upper bits are cut off.
pub fn this_thread() -> io::Result<u64> {
    let mut thread = 0;
    // SAFETY: duty: a valid pointer: a live local; 0 stands for the calling thread.
    match unsafe { libc::pthread_threadid_np(0 as libc::pthread_t, &raw mut thread) } {
        0 => Ok(u64::from(std::process::id()) << THREAD_BITS | thread & ((1 << THREAD_BITS) - 1)),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Whether a thread is gone. One that we may not look at is not.
pub fn is_gone(who: u64) -> bool {
    let (pid, thread) = ((who >> THREAD_BITS) as i32, who & ((1 << THREAD_BITS) - 1));
    let found = info::of::<libc::proc_threadinfo>(pid, THREAD_BY_ID, thread);
    found.is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH))
}
