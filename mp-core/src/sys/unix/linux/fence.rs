//! A pair of fences of which one costs nothing: what [`light`] in one process is to [`heavy`] in another, two full fences
//! are to each other.

use rustix::thread::{MembarrierCommand, membarrier};
use std::sync::atomic::{Ordering, compiler_fence};

/// From now on light fences of this process count; false if the kernel has no such thing. Cheap before there are threads.
pub fn enroll() -> bool {
    membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok()
}

/// The side that is taken often, in a process that is enrolled.
#[inline]
pub fn light() {
    compiler_fence(Ordering::SeqCst);
}

/// The side that is taken seldom: each processor that runs an enrolled process makes a full fence now (membarrier(2)).
/// False if the kernel refuses.
pub fn heavy() -> bool {
    membarrier(MembarrierCommand::GlobalExpedited).is_ok()
}
