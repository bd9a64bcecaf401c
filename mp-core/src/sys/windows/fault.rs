//! Crash notes: what struck, and where.

use super::unsupported;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// The note, all zero until something strikes. See the Unix side.
#[repr(C)]
#[derive(Debug, Default)]
pub struct FaultWords {
    signal: AtomicU32,
    overflow: AtomicU32,
    address: AtomicU64,
}

/// What a [`FaultWords`] says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The exception code.
    pub signal: i32,
    /// The address that was accessed or executed.
    pub address: u64,
    /// Whether the stack had run out.
    pub is_stack_overflow: bool,
}

impl FaultWords {
    /// The note.
    pub fn read(&self) -> Option<Fault> {
        // PAIR: the handler to come. The reader looks when the process is dead.
        let signal = self.signal.load(Relaxed);
        (signal != 0).then(|| Fault {
            signal: signal.cast_signed(),
            address: self.address.load(Relaxed),
            is_stack_overflow: self.overflow.load(Relaxed) == 1,
        })
    }
}

/// Has faults of this process noted in `report`.
pub fn install(_: &'static FaultWords) -> io::Result<()> {
    Err(unsupported())
}
