//! What is asked of FreeBSD in a line or two.

#![allow(unsafe_code)] // procctl

use super::table;
use rustix::process::getpid;
use std::io;

/// FreeBSD counts peak memory in KiB.
pub const MAXRSS_UNIT: u64 = 1024;

/// What a process has left by name: nothing has one here.
pub fn remove_left_by(_: u32) {}

/// How many threads this process has.
pub fn threads() -> Option<usize> {
    usize::try_from(table::entry(getpid())?.ki_numthreads).ok()
}

/// SIGCONT, as on Linux: it wakes up a stopped process.
pub fn ask_for_parents_death() -> io::Result<()> {
    let mut signal = libc::SIGCONT;
    // SAFETY: duty: a valid pointer to what this command takes: a live local. Process 0 stands for the caller.
    let done = unsafe { libc::procctl(libc::P_PID, 0, libc::PROC_PDEATHSIG_CTL, (&raw mut signal).cast()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
