//! Who holds a lock: a thread by its number, its process, and when that was started.

#![allow(unsafe_code)] // thr_kill2, pthread_getthreadid_np

use super::table;
use rustix::process::{Pid, getpid};
use std::io;

/// Numbers of processes are below 100 000.
const PROCESS_BITS: u32 = 17;

/// Those of threads are positive.
const THREAD_BITS: u32 = 31;

/// This thread in an owner word, of which the upper bits are cut off: what is left of the start counts 16384 seconds.
pub fn this_thread() -> io::Result<u64> {
    // SAFETY: duty: none, the call takes nothing.
    let thread = unsafe { libc::pthread_getthreadid_np() };
    let started =
        started(getpid()).ok_or_else(|| io::Error::other("this process is not in the system's table"))?;
    let process = u64::from(std::process::id());
    Ok(process | u64::from(thread.cast_unsigned()) << PROCESS_BITS | started << (PROCESS_BITS + THREAD_BITS))
}

/// Whether a thread is gone. One that we may not look at is not.
pub fn is_gone(who: u64) -> bool {
    let process = (who & ((1 << PROCESS_BITS) - 1)) as i32;
    let thread = who >> PROCESS_BITS & ((1 << THREAD_BITS) - 1);
    // SAFETY: duty: none, the call takes numbers; signal 0 only asks.
    let asked = unsafe { libc::thr_kill2(process, thread.cast_signed(), 0) };
    if asked != 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH) {
        return true;
    }
    let then = who >> (PROCESS_BITS + THREAD_BITS);
    Pid::from_raw(process)
        .and_then(started)
        .is_some_and(|now| now & (crate::sys::owned_lock::WHO >> (PROCESS_BITS + THREAD_BITS)) != then)
}

/// In seconds.
fn started(process: Pid) -> Option<u64> {
    Some(table::look(process)?.started / 1_000_000)
}
