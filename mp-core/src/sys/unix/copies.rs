//! Which copy of a process this is.

#![allow(unsafe_code)] // pthread_atfork

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A number that stays the same in this process, and is another one in each copy of it that is made from the first call on. A look
/// costs no system call.
#[inline]
pub fn count() -> u32 {
    static WATCH: Once = Once::new();
    WATCH.call_once(watch);
    // PAIR: none: a copy has one thread when it counts.
    COUNT.load(Relaxed)
}

/// Whether this is a copy of the process in which the count was `count`. It takes one load.
#[inline]
pub fn is_copy_since(count: u32) -> bool {
    // PAIR: none, as above.
    COUNT.load(Relaxed) != count
}

#[cold]
fn watch() {
    // SAFETY: duty: what runs in a copy is safe there: it counts. Without memory for it copies look like what they were made of.
    unsafe { libc::pthread_atfork(None, None, Some(note)) };
}

/// This is a copy. For those that the C library has not made.
pub extern "C" fn note() {
    // PAIR: none, as above.
    COUNT.fetch_add(1, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_counts_otherwise_than_what_it_was_made_of() {
        let ours = count();
        assert_eq!(count(), ours);
        // SAFETY: duty: the copy does nothing that another thread could have been in the middle of: it looks and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: none.
            unsafe { libc::_exit(i32::from(count() == ours || !is_copy_since(ours))) };
        }
        let mut status = -1;
        // SAFETY: duty: a valid pointer: a live local.
        let reaped = unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!((reaped, status), (child, 0), "the copy counts as we do");
        assert_eq!(count(), ours);
        assert!(!is_copy_since(ours));
    }
}
