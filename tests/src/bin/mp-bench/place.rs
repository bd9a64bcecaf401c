//! Which processors the calling thread may use.

use rustix::io;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processors that this thread may use now.
pub fn allowed() -> io::Result<CpuSet> {
    sched_getaffinity(None)
}

/// Lets this thread use these.
pub fn allow(set: &CpuSet) -> io::Result<()> {
    sched_setaffinity(None, set)
}

/// Lets this thread use one only.
pub fn pin(processor: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(processor);
    allow(&set)
}

/// The numbers of the processors in a set, in order.
pub fn numbers(set: &CpuSet) -> Vec<usize> {
    (0..CpuSet::MAX_CPU).filter(|&processor| set.is_set(processor)).collect()
}
