//! What copies of a process are, wherever there are any.

#![allow(unsafe_code)] // the safety of a copy is the caller's to know

/// Which of the two this process is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Copied {
    /// The original; the number of the copy.
    Original(u32),
    /// The copy, in a process group of its own.
    Copy,
}

/// Somebody has promised that this process may be copied whatever its threads are at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fork(());

impl Fork {
    /// Promises it.
    ///
    /// # Safety
    /// A copy of this process has one thread, and finds memory as the other threads left it: whatever they hold a lock of
    /// (of the allocator, of stdout, of a table of a C library) may stay locked for ever, and what they were changing stays
    /// half changed. It shares every descriptor and every mapping. Whoever calls this knows, for each moment at which `mp`
    /// makes a copy, that the task which the copy runs, and what it calls, can live with that. A process with one thread
    /// can.
    pub const unsafe fn new() -> Self {
        Self(())
    }
}
