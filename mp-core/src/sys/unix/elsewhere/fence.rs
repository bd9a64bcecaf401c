//! A pair of fences of which one costs nothing: that is Linux's. Nobody can enroll here, and both sides use full fences.

use std::sync::atomic::{Ordering, fence};

/// From now on light fences of this process count; false if the kernel has no such thing.
pub fn enroll() -> bool {
    false
}

/// The side that is taken often, in a process that is enrolled.
#[inline]
pub fn light() {
    fence(Ordering::SeqCst);
}

/// The side that is taken seldom. False if the kernel refuses.
pub fn heavy() -> bool {
    false
}
