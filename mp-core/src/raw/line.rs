//! Lines of the processors' caches.

use std::ops::Deref;

/// A value that shares its line with no other, so that who works on the one does not wait for who changes the other.
///
/// 128 bytes, not 64: Intel's prefetcher fetches lines in pairs, and Apple's cores have lines of 128 (as crossbeam's
/// `CachePadded` and folly found).
#[repr(C, align(128))]
#[derive(Debug, Default)]
pub struct Line<T>(pub T);

impl<T> Deref for Line<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}
