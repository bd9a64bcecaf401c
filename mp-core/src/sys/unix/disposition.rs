//! What a signal does to this process.

#![allow(unsafe_code)] // sigaction and raise: rustix has no signal handlers

use std::io;

/// A signal handler with the details of the signal.
pub(super) type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// What `signal` does now. Async-signal-safe.
pub(super) fn query(signal: libc::c_int) -> io::Result<libc::sigaction> {
    let mut now = blank();
    // SAFETY: duty: valid pointers: null asks for no change, `now` is a live local. Kept here.
    checked(unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut now) })?;
    Ok(now)
}

/// Makes `signal` do `action`. Async-signal-safe.
///
/// # Safety
/// A handler in `action` must be one (of the form its flags say) and async-signal-safe.
pub(super) unsafe fn set(signal: libc::c_int, action: &libc::sigaction) -> io::Result<()> {
    // SAFETY: duty: valid pointers: kept here; the handler: the caller by the contract.
    checked(unsafe { libc::sigaction(signal, action, std::ptr::null_mut()) })
}

/// Makes `signal` call `handler`, on the alternate stack where the thread has one. System calls it interrupts are
/// restarted where the kernel can.
///
/// # Safety
/// `handler` must be async-signal-safe.
pub(super) unsafe fn handle(signal: libc::c_int, handler: Handler) -> io::Result<()> {
    let mut action = blank();
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: duty: a handler of the form the flags say: by its type; async-signal-safe: the caller by the contract.
    unsafe { set(signal, &action) }
}

/// Makes `signal` do what it does in a fresh program. Async-signal-safe.
pub(super) fn set_default(signal: libc::c_int) -> io::Result<()> {
    let mut action = blank();
    action.sa_sigaction = libc::SIG_DFL;
    // SAFETY: duty: a valid handler: the default is one.
    unsafe { set(signal, &action) }
}

/// Makes `signal` do nothing, here and in the programs this one starts. Async-signal-safe.
pub(super) fn ignore(signal: libc::c_int) -> io::Result<()> {
    let mut action = blank();
    action.sa_sigaction = libc::SIG_IGN;
    // SAFETY: duty: a valid handler: to ignore is one.
    unsafe { set(signal, &action) }
}

/// Sends `signal` to this thread. Async-signal-safe; from a handler of the same signal it arrives when that returns.
pub(super) fn raise(signal: libc::c_int) {
    // SAFETY: duty: none, the call takes a number and is async-signal-safe: the C library keeps it.
    unsafe { libc::raise(signal) };
}

fn blank() -> libc::sigaction {
    // SAFETY: duty: all-zero bytes are a valid `sigaction` (default action, empty mask, no flags): POSIX structs of
    // integers and nullable function pointers.
    unsafe { std::mem::zeroed() }
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
