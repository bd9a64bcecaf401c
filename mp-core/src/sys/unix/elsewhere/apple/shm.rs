//! What is shared memory.

use super::Handle;
use rustix::fs::fstat;

/// An object gets its length once.
pub const KEEPS_LENGTH: bool = true;

/// The type of a mode as `shm_open` takes it: one of its variable arguments.
pub type Mode = libc::c_uint;

/// Whether it is shared memory: the only thing whose mode has no type.
pub fn is_memory(handle: &Handle) -> bool {
    fstat(handle).is_ok_and(|found| found.st_mode & libc::S_IFMT == 0)
}
