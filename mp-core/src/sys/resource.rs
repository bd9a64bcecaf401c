//! What a process uses, and may use at most.

/// What can be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Bytes of address space; on Windows of memory that the system has promised.
    AddressSpace,
    /// Seconds of processor time.
    CpuTime,
    /// Descriptors that are open at the same time.
    OpenFiles,
}
