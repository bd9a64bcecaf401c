//! What the calls of the system have in common.

#![allow(unsafe_code)] // handles become owned; waiting for one

use super::{BorrowedHandle, Handle};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _};
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    DUPLICATE_SAME_ACCESS, DuplicateHandle, HANDLE, INVALID_HANDLE_VALUE, WAIT_OBJECT_0,
};
use windows_sys::Win32::System::Console::{GetStdHandle, STD_HANDLE};
use windows_sys::Win32::System::Threading::{
    CreateEventW, GetCurrentProcess, INFINITE, SetEvent, WaitForSingleObject,
};
use windows_sys::core::BOOL;

/// What a call says that returns a truth.
pub fn checked(done: BOOL) -> io::Result<()> {
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What there is to know about an error besides its text: here the system says it all.
pub fn advice(_: &io::Error) -> Option<&'static str> {
    None
}

/// A handle that a call has just made for us.
///
/// # Safety
/// Nobody else owns it.
pub unsafe fn owned(made: HANDLE) -> io::Result<Handle> {
    if made.is_null() || made == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: duty: open, and nobody else's: the caller by the contract.
    Ok(unsafe { Handle::from_raw_handle(made) })
}

/// The number of a handle.
pub fn number(handle: BorrowedHandle<'_>) -> HANDLE {
    handle.as_raw_handle()
}

/// Text as the system takes it.
pub fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// A time-out as the system takes it: in milliseconds, rounded up. One that is too long is cut: waits may end early.
pub fn millis(timeout: Option<Duration>) -> u32 {
    timeout.map_or(INFINITE, |timeout| {
        let millis = timeout.as_micros().div_ceil(1000);
        u32::try_from(millis).unwrap_or(INFINITE - 1).min(INFINITE - 1)
    })
}

/// Waits until a process, a thread or an event is signalled, at most `timeout`; whether it is.
pub fn wait_for(handle: BorrowedHandle<'_>, timeout: Option<Duration>) -> bool {
    // SAFETY: duty: an open handle: the borrow keeps it so.
    unsafe { WaitForSingleObject(number(handle), millis(timeout)) == WAIT_OBJECT_0 }
}

/// An event without a name. `manual`: it stays signalled until somebody resets it.
pub fn event(manual: bool) -> io::Result<Handle> {
    // SAFETY: duty: valid pointers: null means the default and no name. Duty of `owned`: it was made just now.
    unsafe { owned(CreateEventW(std::ptr::null(), manual.into(), 0, std::ptr::null())) }
}

/// A copy that a child may inherit.
pub fn inheritable(handle: BorrowedHandle<'_>) -> io::Result<Handle> {
    let mut made = std::ptr::null_mut();
    // SAFETY: duty: valid handles: the pseudo handle of this process, and one that is borrowed; a live local. Duty of `owned`:
    // it was made just now.
    unsafe {
        let this = GetCurrentProcess();
        DuplicateHandle(this, number(handle), this, &raw mut made, 0, 1, DUPLICATE_SAME_ACCESS);
        owned(made)
    }
}

/// A standard stream of ours; `None` if it is closed.
pub fn standard(which: STD_HANDLE) -> Option<BorrowedHandle<'static>> {
    // SAFETY: duty: none, the call takes a number.
    let handle = unsafe { GetStdHandle(which) };
    let is_open = !handle.is_null() && handle != INVALID_HANDLE_VALUE;
    // SAFETY: duty: open for ever: standard streams are not closed.
    is_open.then(|| unsafe { BorrowedHandle::borrow_raw(handle) })
}

/// Sets an event.
pub fn signal(event: BorrowedHandle<'_>) {
    // SAFETY: duty: an open handle: the borrow keeps it so. It can only fail if it is no event.
    unsafe { SetEvent(number(event)) };
}

/// A number that nobody guesses.
pub fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
