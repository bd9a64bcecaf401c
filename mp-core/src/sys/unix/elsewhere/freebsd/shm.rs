//! What is shared memory: what can be sealed. What has a name is one, too.

use super::super::Handle;
use rustix::fs::{FileType, fcntl_get_seals, fstat};

/// Whoever may open an object by its name can make it shorter.
pub const KEEPS_LENGTH: bool = false;

/// The type of a mode as `shm_open` takes it.
pub type Mode = libc::mode_t;

/// Whether it is shared memory.
pub fn is_memory(handle: &Handle) -> bool {
    let is_file =
        fstat(handle).is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::RegularFile);
    is_file && fcntl_get_seals(handle).is_ok()
}
