//! A buffer for messages, kept on each thread from one to the next.

use std::cell::Cell;

/// A buffer that has grown larger is let go.
const KEPT_BYTES_MAX: usize = 64 << 10;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends an empty buffer.
#[inline]
pub fn with<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = take();
    let result = work(&mut buffer);
    keep(buffer);
    result
}

/// An empty buffer.
#[inline]
pub fn take() -> Vec<u8> {
    // On a thread that ends there may be none any more.
    BUFFER.try_with(Cell::take).unwrap_or_default()
}

/// Gives a buffer back.
#[inline]
pub fn keep(mut buffer: Vec<u8>) {
    if buffer.capacity() <= KEPT_BYTES_MAX {
        buffer.clear();
        let _ = BUFFER.try_with(|kept| kept.set(buffer));
    }
}
