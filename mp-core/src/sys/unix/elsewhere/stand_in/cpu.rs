//! Where this thread runs.

#![allow(unsafe_code)] // sched_getcpu: rustix asks in another way

/// The CPU this thread runs on right now, by number.
pub fn current() -> u32 {
    // SAFETY: duty: none, the call has no arguments and no effect: the C library keeps it.
    let cpu = unsafe { libc::sched_getcpu() };
    cpu.max(0).cast_unsigned()
}
