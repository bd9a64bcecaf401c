//! Which processors the calling thread may use.

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Error, allow, allowed, numbers, pin};
#[cfg(target_os = "linux")]
pub use linux::{Error, allow, allowed, numbers, pin};

#[cfg(target_os = "linux")]
mod linux {
    use rustix::io;
    pub use rustix::io::Errno as Error;
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
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    //! Nobody is kept to a processor: what is measured there says so.

    use std::io;
    pub use std::io::Error;

    /// The processors that this thread may use now.
    pub fn allowed() -> io::Result<usize> {
        std::thread::available_parallelism().map(usize::from)
    }

    /// Lets this thread use these.
    pub fn allow(_: &usize) -> io::Result<()> {
        Ok(())
    }

    /// Lets this thread use one only.
    pub fn pin(_: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The numbers of the processors in a set, in order.
    pub fn numbers(set: &usize) -> Vec<usize> {
        (0..*set).collect()
    }
}
