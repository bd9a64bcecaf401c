//! Atomics: std's, or loom's under `cfg(loom)`, where models run every interleaving of them.
//!
//! loom takes a sequentially consistent access for a weaker one, but knows sequentially consistent *fences*: code that
//! needs "I wrote before I looked" uses those.

#[cfg(loom)]
pub use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
