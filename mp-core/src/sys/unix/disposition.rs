//! What a signal does to this process.

#![allow(unsafe_code)] // sigaction, raise and masks: rustix has no signal handlers

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

/// Keeps `signal` from this thread, and from the threads, copies and programs that it starts from here on: what is sent waits until
/// [`unblock`].
pub(super) fn block(signal: libc::c_int) -> io::Result<()> {
    mask(signal, libc::SIG_BLOCK).map(drop)
}

/// Lets `signal` come to this thread; one that has waited comes before this returns.
pub(super) fn unblock(signal: libc::c_int) -> io::Result<()> {
    mask(signal, libc::SIG_UNBLOCK).map(drop)
}

/// A signal is kept from this thread as long as this is there. What it starts meanwhile lets it come when it is ready for it.
pub(super) struct Held {
    signal: libc::c_int,
    was_blocked: bool,
}

impl Held {
    pub(super) fn hold(signal: libc::c_int) -> io::Result<Self> {
        mask(signal, libc::SIG_BLOCK).map(|was_blocked| Self { signal, was_blocked })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.was_blocked {
            // It was blocked in the same way, so this cannot fail.
            let _ = unblock(self.signal);
        }
    }
}

/// Changes what is kept from this thread. Whether `signal` was so before.
fn mask(signal: libc::c_int, how: libc::c_int) -> io::Result<bool> {
    // SAFETY: duty: valid pointers and sets: live locals, and all-zero bytes are a valid set, made empty before it is used.
    let (error, was_blocked) = unsafe {
        let (mut set, mut before): (libc::sigset_t, libc::sigset_t) = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        let error = libc::pthread_sigmask(how, &raw const set, &raw mut before);
        (error, libc::sigismember(&raw const before, signal) == 1)
    };
    if error == 0 { Ok(was_blocked) } else { Err(io::Error::from_raw_os_error(error)) }
}

fn blank() -> libc::sigaction {
    // SAFETY: duty: all-zero bytes are a valid `sigaction` (default action, empty mask, no flags): POSIX structs of
    // integers and nullable function pointers.
    unsafe { std::mem::zeroed() }
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
