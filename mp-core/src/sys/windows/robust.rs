//! A lock between processes that survives its holder: a word that names the thread that holds it.
//!
//! Who waits sleeps on the holder's thread, too, so that its end wakes the waiter.

pub use crate::sys::owned_lock::{Attempt, Robust, Taken};

/// Who holds a lock: a thread, by its number and when it was started.
pub mod holder {
    #![allow(unsafe_code)] // OpenThread

    use super::super::call::{owned, wait_for};
    use super::super::{Handle, borrow, futex, life};
    use crate::sys::owned_lock::WHO;
    use std::cell::{Cell, RefCell};
    use std::io;
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;
    use windows_sys::Win32::Foundation::ERROR_INVALID_PARAMETER;
    use windows_sys::Win32::System::Threading::{
        GetCurrentThreadId, OpenThread, THREAD_QUERY_LIMITED_INFORMATION, THREAD_SYNCHRONIZE,
    };

    /// How long a sleep lasts at most: who is killed between being woken and taking the lock takes the wake-up along.
    pub const LOOK_AGAIN: Duration = Duration::from_millis(100);

    thread_local! {
        /// This thread in an owner word; zero until it is known.
        static ME: Cell<u64> = const { Cell::new(0) };
        /// The thread that we have waited for last, open: it is likely to be the next one, too.
        static HOLDER: RefCell<Option<(u64, Handle)>> = const { RefCell::new(None) };
    }

    /// Sleeps while `turn` is as it was seen and the holder lives, at most so long.
    pub fn sleep(turn: &AtomicU32, seen: u32, timeout: Duration, who: u64) {
        with_holder(who, |holder| futex::wait_beside(turn, seen, Some(timeout), holder.map(borrow)));
    }

    /// This thread in an owner word.
    pub fn me() -> io::Result<u64> {
        let known = ME.get();
        if known != 0 {
            return Ok(known);
        }
        // SAFETY: duty: none, the call takes nothing.
        let thread = unsafe { GetCurrentThreadId() };
        let me =
            open(thread).and_then(|handle| mark(thread, &handle).ok_or_else(io::Error::last_os_error))?;
        ME.set(me);
        Ok(me)
    }

    fn open(thread: u32) -> io::Result<Handle> {
        // SAFETY: duty of `owned`: it was made just now.
        unsafe { owned(OpenThread(THREAD_QUERY_LIMITED_INFORMATION | THREAD_SYNCHRONIZE, 0, thread)) }
    }

    /// A thread in an owner word: its number, and when it was started, so that the number's next owner is another one.
    fn mark(thread: u32, handle: &Handle) -> Option<u64> {
        let started = life::started(borrow(handle), true)?;
        Some((u64::from(thread) | started << 32) & WHO)
    }

    /// Whether a thread is gone.
    pub fn is_dead(who: u64) -> bool {
        match look(who) {
            Some(Look::Kept) => with_holder(who, |holder| {
                holder.is_some_and(|holder| wait_for(borrow(holder), Some(Duration::ZERO)))
            }),
            Some(Look::Gone) => true,
            None => false,
        }
    }

    enum Look {
        /// It is open in [`HOLDER`].
        Kept,
        /// There is no such thread any more.
        Gone,
    }

    /// Opens a thread; `None` if the system does not let us.
    fn look(who: u64) -> Option<Look> {
        HOLDER
            .try_with(|kept| {
                let mut kept = kept.borrow_mut();
                if kept.as_ref().is_some_and(|(of, _)| *of == who) {
                    return Some(Look::Kept);
                }
                let thread = who as u32;
                match open(thread) {
                    Ok(handle) if mark(thread, &handle) == Some(who) => {
                        *kept = Some((who, handle));
                        Some(Look::Kept)
                    }
                    Ok(_) => Some(Look::Gone),
                    Err(error) => {
                        let is_none = error.raw_os_error() == Some(ERROR_INVALID_PARAMETER.cast_signed());
                        is_none.then_some(Look::Gone)
                    }
                }
            })
            .ok()
            .flatten()
    }

    /// Does something with the thread `who` if it is open.
    fn with_holder<T>(who: u64, f: impl Fn(Option<&Handle>) -> T) -> T {
        let run = |kept: &RefCell<Option<(u64, Handle)>>| {
            let kept = kept.borrow();
            f(kept.as_ref().filter(|(of, _)| *of == who).map(|(_, handle)| handle))
        };
        // A thread that is ending looks again by itself.
        HOLDER.try_with(run).unwrap_or_else(|_| f(None))
    }
}
