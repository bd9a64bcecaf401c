//! Where this thread runs and how much there is to run on.

#![allow(unsafe_code)] // sched_getcpu: rustix asks the vDSO, the C library reads rseq's word, which is ten times cheaper

/// The CPU this thread runs on right now, by number. Already old when returned: good for a guess only.
pub fn current() -> u32 {
    // SAFETY: duty: none, the call has no arguments and no effect: the C library keeps it.
    let cpu = unsafe { libc::sched_getcpu() };
    cpu.max(0).cast_unsigned()
}

/// How many CPUs this process may keep busy: by affinity and by the quota of its control group; at least 1.
pub fn available() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
