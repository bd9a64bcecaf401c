//! Atomics: std's, or loom's under `cfg(loom)`, where models run every interleaving of them.
//!
//! loom takes a sequentially consistent access for a weaker one, but knows sequentially consistent *fences*: code that
//! needs "I wrote before I looked" uses those, or an exchange, and [`exchanged`] before it looks.

#[cfg(loom)]
pub use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Between a sequentially consistent exchange and a sequentially consistent load of another word: they are in order by
/// themselves, but in a model only by a fence.
#[inline]
pub fn exchanged() {
    #[cfg(loom)]
    fence(Ordering::SeqCst);
}
