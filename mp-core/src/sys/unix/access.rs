//! Small types without a system call in them, the same on every Unix.

/// What a mapping may be used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading only; a write faults.
    Read,
    /// Reading and writing.
    ReadWrite,
    /// Reading memory that nobody can write any more.
    Sealed,
}
