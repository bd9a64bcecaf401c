//! A thread as the kernel knows it, for locks that are a word.
//!
//! The kernel knows of a thread which robust locks it holds, and of one more which it is about to take or to give back: when the
//! thread ends, however it ends, it looks there, and a word that holds the thread's number becomes [`DIED`]. A lock that is held
//! for a moment needs no more than that one place. It is libc's, which uses it for such moments too and clears it.

#![allow(unsafe_code)] // the words of libc and the kernel about a thread

use super::notes::LibcNotes;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, Ordering, compiler_fence};

/// The bits of a lock's word that hold the number of its holder.
pub const HOLDER: u32 = libc::FUTEX_TID_MASK;

/// Somebody sleeps on the word.
pub const WANTED: u32 = libc::FUTEX_WAITERS;

/// The holder ended, says the kernel.
pub const DIED: u32 = libc::FUTEX_OWNER_DIED;

/// `struct robust_list_head` of `linux/futex.h`.
#[repr(C)]
struct Head {
    list: *mut libc::c_void,
    offset: libc::c_long,
    pending: *mut libc::c_void,
}

/// This thread.
#[derive(Clone, Copy, Debug)]
pub struct Me {
    /// libc keeps it right in copies of the process, too.
    number: *const u32,
    head: *mut Head,
    of_this_thread: PhantomData<*mut ()>,
}

thread_local! {
    static ME: Cell<Option<Me>> = const { Cell::new(None) };
}

/// This thread; `None` where libc or the kernel does not say what is needed.
#[inline]
pub fn me() -> Option<Me> {
    ME.get().or_else(find)
}

#[cold]
fn find() -> Option<Me> {
    // musl tells the kernel of a thread's locks when it takes its first one.
    if cfg!(not(target_env = "gnu")) {
        return None;
    }
    let notes = LibcNotes::of_this_thread().ok()?;
    let (head, len) = notes.robust;
    if head.is_null() || len != size_of::<Head>() {
        return None;
    }
    let me = Me { number: notes.number.cast(), head: head.cast(), of_this_thread: PhantomData };
    ME.set(Some(me));
    Some(me)
}

impl Me {
    /// What a word holds that is this thread's.
    #[inline]
    pub fn number(self) -> u32 {
        // SAFETY: duty: readable: `of_this_thread` has read it, and libc keeps it as long as the thread runs, which only this
        // one does: a `Me` does not leave its thread.
        unsafe { self.number.read_volatile() }
    }

    /// From now on the kernel looks at `word` when this thread ends. False if it is to look at another one already.
    #[inline]
    pub fn announce(self, word: &AtomicU32) -> bool {
        // SAFETY: duty: valid: what libc has told the kernel, for as long as the thread runs. Duty: nobody else writes it:
        // libc does so only within its own calls about robust locks, and clears it there.
        unsafe {
            let pending = &raw mut (*self.head).pending;
            if !pending.read_volatile().is_null() {
                return false;
            }
            // The kernel adds the offset again.
            pending.write_volatile(word.as_ptr().cast::<libc::c_void>().wrapping_byte_offset(-self.offset()));
        }
        // What this thread did last is what the kernel finds.
        compiler_fence(Ordering::SeqCst);
        true
    }

    /// From now on it does not.
    #[inline]
    pub fn withdraw(self) {
        compiler_fence(Ordering::SeqCst);
        // SAFETY: as in `announce`.
        unsafe { (&raw mut (*self.head).pending).write_volatile(std::ptr::null_mut()) };
    }

    #[inline]
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_possible_truncation,
        reason = "a `long` is as long as a pointer here"
    )]
    fn offset(self) -> isize {
        // SAFETY: as in `announce`; libc wrote it before the kernel was told.
        unsafe { (*self.head).offset as isize }
    }
}
