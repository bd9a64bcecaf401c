//! Hearing of a handle without waiting for it: the system's own threads wait, and set an event.

#![allow(unsafe_code)] // RegisterWaitForSingleObject

use super::call::{checked, number, signal};
use super::{BorrowedHandle, Handle, borrow};
use std::ffi::c_void;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Threading::{
    INFINITE, RegisterWaitForSingleObject, UnregisterWaitEx, WT_EXECUTEINWAITTHREAD, WT_EXECUTEONLYONCE,
};

/// Sets an event once, when a handle is signalled. Who sets the alarm keeps the handle open longer.
#[derive(Debug)]
pub struct Alarm {
    wait: HANDLE,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    has_rung: AtomicBool,
    event: Arc<Handle>,
}

// SAFETY: duty: usable from any thread: the registration belongs to the process, and nobody but `drop` uses its number.
unsafe impl Send for Alarm {}
// SAFETY: duty: as for `Send`.
unsafe impl Sync for Alarm {}

impl Alarm {
    /// Sets `event` once, as soon as `handle` is signalled.
    pub fn set(handle: BorrowedHandle<'_>, event: &Arc<Handle>) -> io::Result<Self> {
        let state = Arc::new(State { has_rung: AtomicBool::new(false), event: event.clone() });
        let mut wait = std::ptr::null_mut();
        // The threads that wait are the system's own and do nothing else: `ring` is short.
        let flags = WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD;
        // SAFETY: duty: valid pointers: a live local, and a state that lives until `drop` has ended the registration; the handle
        // stays open until then, by the caller.
        checked(unsafe {
            let context = Arc::as_ptr(&state).cast();
            RegisterWaitForSingleObject(&raw mut wait, number(handle), Some(ring), context, INFINITE, flags)
        })?;
        Ok(Self { wait, state })
    }

    /// Whether it has set the event, and will not again.
    pub fn has_rung(&self) -> bool {
        // PAIR: `ring`.
        self.state.has_rung.load(Acquire)
    }
}

impl Drop for Alarm {
    /// # Blocking and death
    /// Waits for a [`ring`] that is under way.
    fn drop(&mut self) {
        // SAFETY: duty: a registration that was not ended yet: ours, made by `set`. Nothing is called after this.
        unsafe { UnregisterWaitEx(self.wait, INVALID_HANDLE_VALUE) };
    }
}

/// What the system calls.
///
/// # Safety
/// The state must live until this returns.
unsafe extern "system" fn ring(state: *mut c_void, _: bool) {
    // SAFETY: duty: a live state: the caller by the contract; `set` has given it, and `drop` waits for us.
    let state = unsafe { &*state.cast::<State>() };
    // PAIR: `has_rung`; who is woken by the event sees it.
    state.has_rung.store(true, Release);
    signal(borrow(&state.event));
}

#[cfg(test)]
mod tests {
    use super::super::call::{event, wait_for};
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_alarm_rings_once_and_not_when_it_is_gone() {
        let (watched, told) = (event(true).unwrap(), Arc::new(event(false).unwrap()));
        let alarm = Alarm::set(borrow(&watched), &told).unwrap();
        assert!(!alarm.has_rung());
        signal(borrow(&watched));
        assert!(wait_for(borrow(&told), None) && alarm.has_rung());
        drop(alarm);
        let late = event(true).unwrap();
        drop(Alarm::set(borrow(&late), &told).unwrap());
        signal(borrow(&late));
        assert!(!wait_for(borrow(&told), Some(Duration::ZERO)));
    }
}
