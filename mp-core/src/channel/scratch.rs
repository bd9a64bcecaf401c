//! A buffer for messages, kept on each thread from one to the next.

use std::cell::Cell;

/// A buffer that has grown larger is let go: twice what the longest message takes that lies in a queue itself.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// In a box: what is moved with each message is one word.
#[derive(Default)]
struct Buffer(Vec<u8>);

thread_local! {
    static BUFFER: Cell<Option<Box<Buffer>>> = const { Cell::new(None) };
}

/// Lends an empty buffer.
#[inline]
pub fn with<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    // On a thread that ends there may be none any more.
    let mut buffer = BUFFER.try_with(Cell::take).ok().flatten().unwrap_or_default();
    let result = work(&mut buffer.0);
    if buffer.0.capacity() <= KEPT_BYTES_MAX {
        buffer.0.clear();
        let _ = BUFFER.try_with(|kept| kept.set(Some(buffer)));
    }
    result
}
