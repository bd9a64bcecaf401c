//! What is shared memory: a file without a name in memory. What has a name is one, too.

use super::Handle;
use rustix::fs::{FileType, fstat, fstatfs};

/// `f_type` of the file system that `shm_open` makes them in (`linux/magic.h`).
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// As on macOS, though Linux would let whoever can write make it shorter.
pub const KEEPS_LENGTH: bool = true;

/// The type of a mode as `shm_open` takes it.
pub type Mode = libc::mode_t;

/// Whether it is shared memory.
pub fn is_memory(handle: &Handle) -> bool {
    let is_file =
        fstat(handle).is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::RegularFile);
    // The type of the field differs between targets; the number is positive everywhere.
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)]
    let is_in_memory = fstatfs(handle).is_ok_and(|system| system.f_type as u64 & 0xffff_ffff == TMPFS_MAGIC);
    is_file && is_in_memory
}
