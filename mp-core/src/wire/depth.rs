//! How deep a value may be nested: as deep as the stack of this thread lets serde's functions call each other.
//!
//! A type that holds itself does so behind an option, a list, a map or a variant, or its values would have no end: who reads
//! or writes one of those asks here first. So a value that is too deep is refused, where the end of the stack would end the
//! process, which may be the user's.

use super::refusal::Refusal;
use crate::limits::{STACK_RESERVE_BYTES, STACK_UNASKED_BYTES};
use crate::sys::stack;
use std::cell::Cell;
use std::ops::Range;

thread_local! {
    /// Above this address there is room enough.
    static ENOUGH: Cell<usize> = const { Cell::new(usize::MAX) };
    /// The lowest and the highest address of the stack, once the system was asked.
    static STACK: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
}

/// Whether a part of this type has room on the stack. What owns no memory holds nothing of its own kind, so it always has: that
/// is known when the program is compiled. (It may be a reference, and then one to more of them: those are not counted.)
#[inline]
pub fn check<T: ?Sized>() -> Result<(), Refusal> {
    if std::mem::needs_drop::<T>() { check_any() } else { Ok(()) }
}

/// Whether a part of any type has room on the stack.
#[inline]
pub fn check_any() -> Result<(), Refusal> {
    let mark = 0_u8;
    let here = (&raw const mark).addr();
    if here >= ENOUGH.get() { Ok(()) } else { look(here) }
}

#[cold]
fn look(here: usize) -> Result<(), Refusal> {
    if ENOUGH.get() == usize::MAX {
        ENOUGH.set(here.saturating_sub(STACK_UNASKED_BYTES));
        return Ok(());
    }
    let (start, end) = STACK.get().unwrap_or_else(|| {
        // Of a stack that is not known none is refused.
        let Range { start, end } = stack::bounds().unwrap_or_default();
        STACK.set(Some((start, end)));
        ENOUGH.set(start + STACK_RESERVE_BYTES.min((end - start) / 8));
        (start, end)
    });
    // Who runs on a stack that is not the thread's own, such as that of a coroutine, has as much as they gave it.
    if here >= ENOUGH.get() || !(start..end).contains(&here) {
        return Ok(());
    }
    Err(Refusal::of_type(format_args!(
        "it is nested too deeply for the stack of this thread, which has {} KiB: send something flatter, or do this on a thread \
         with more (`std::thread::Builder::stack_size`)",
        (end - start) >> 10
    )))
}

#[cfg(all(test, not(loom)))]
#[path = "depth_tests.rs"]
mod tests;
