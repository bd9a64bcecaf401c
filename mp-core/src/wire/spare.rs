//! Bytes that nobody needs any more leave memory behind, and bytes that are to come need some. Memory that was used before costs
//! no page faults.
//!
//! A worker keeps that of what its last call returned for what the next one is given, a caller that of the arguments of a call for
//! what that call returns, and that of the bytes of a result, whose value lies elsewhere, for the next result.

use super::bytes;
use crate::kept::Kept;
use crate::limits;
use crate::sys::memory::in_large_pages;
use std::mem;
use std::sync::{Mutex, MutexGuard};

/// What the last long result left, in processes that keep it.
pub static SPARE: Kept<Vec<u8>> = Kept::new();

/// A value that nobody needs any more.
#[inline]
pub fn leave<T>(value: T) {
    if let Some(memory) = of(value) {
        SPARE.put(memory);
    }
}

/// The memory of a value that nobody needs any more, if it is long bytes.
#[inline]
pub fn of<T>(value: T) -> Option<Vec<u8>> {
    if !bytes::is_owned::<T>() {
        return None;
    }
    let mut memory = bytes::into_vec(value).filter(|vec| vec.capacity() >= limits::INLINE_BYTES_MAX)?;
    memory.clear();
    Some(memory)
}

/// Whether `len` bytes may lie in this memory. Who gets them may keep them, and must not keep much more than it asked for.
pub fn suits(memory: &Vec<u8>, len: usize) -> bool {
    memory.capacity() >= len && memory.capacity() / 2 <= len
}

/// An empty vector with room for `len` bytes.
pub fn with_room(len: usize) -> Vec<u8> {
    if let Some(spare) = SPARE.take(|spare| suits(spare, len)) {
        return spare;
    }
    let mut fresh = Vec::with_capacity(len);
    in_large_pages(fresh.spare_capacity_mut());
    fresh
}

/// What a long result was received in. Nobody waits for it: who finds that another looks goes without.
static RECEIVED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn received() -> Option<MutexGuard<'static, Vec<u8>>> {
    RECEIVED.try_lock().ok()
}

/// The bytes of a long result have been read: the next one may lie here.
pub fn leave_received(mut buffer: Vec<u8>) {
    if (limits::INLINE_BYTES_MAX..=limits::RECEIVED_BYTES_MAX).contains(&buffer.capacity())
        && let Some(mut kept) = received()
    {
        buffer.clear();
        mem::swap(&mut *kept, &mut buffer);
    }
}

/// An empty buffer for a long result, if one is kept that suits.
pub fn take_received(len: usize) -> Option<Vec<u8>> {
    let mut kept = received()?;
    suits(&kept, len).then(|| mem::take(&mut *kept))
}

/// A pool has ended: what results were received in may be as long as those were.
pub fn forget_received() {
    drop(received().map(|mut kept| mem::take(&mut *kept)));
}

/// A copy of bytes.
pub fn copied(content: &[u8]) -> Vec<u8> {
    let mut copy = with_room(content.len());
    copy.extend_from_slice(content);
    copy
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// One test: what is kept belongs to the process.
    #[test]
    fn what_a_result_was_received_in_is_there_for_the_next_one() {
        const LONG: usize = limits::INLINE_BYTES_MAX;
        leave_received(Vec::with_capacity(LONG - 1));
        leave_received(Vec::with_capacity(limits::RECEIVED_BYTES_MAX + 1));
        assert_eq!(take_received(LONG - 1), None, "too short, and too long");
        let buffer = vec![1; LONG];
        let here = buffer.as_ptr();
        leave_received(buffer);
        assert_eq!(take_received(LONG + 1), None);
        let next = take_received(LONG).expect("it is there");
        assert_eq!((next.as_ptr(), next.len()), (here, 0));
        assert_eq!(take_received(LONG), None, "it is there once");
        leave_received(next);
        forget_received();
        assert_eq!(take_received(LONG), None);
    }

    /// The same.
    #[test]
    fn a_long_result_leaves_its_memory_to_an_argument_that_fills_it() {
        const LONG: usize = limits::INLINE_BYTES_MAX;
        let place = |vec: &Vec<u8>| vec.as_ptr();
        leave(vec![1_u8; LONG]);
        assert!(!SPARE.is_any(), "not yet");
        SPARE.begin();
        leave(vec![1_u8; LONG - 1]);
        leave(vec![1_u64; LONG]);
        assert!(!SPARE.is_any(), "too short, and not bytes");
        let returned = vec![1_u8; LONG];
        let here = place(&returned);
        leave(returned);
        assert_ne!(place(&with_room(LONG / 2 - 1)), here, "too large for that");
        assert_ne!(place(&with_room(LONG + 1)), here, "too small");
        let given = with_room(LONG);
        assert_eq!((place(&given), given.len()), (here, 0));
        assert_ne!(place(&with_room(LONG)), here, "it is there once");
        leave(given.into_boxed_slice());
        leave(vec![1_u8; LONG].into_boxed_slice());
        let boxed = SPARE.take(|_| true).expect("a box is bytes, too");
        assert_eq!((boxed.capacity(), boxed.len()), (LONG, 0));
    }
}
