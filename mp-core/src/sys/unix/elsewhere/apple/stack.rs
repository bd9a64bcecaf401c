//! Where this thread's stack lies and ends, and where the stack pointer of a thread was that a signal has interrupted.

#![allow(unsafe_code)] // pthread's facts and the registers of a fault

use super::handler_stack::GUARD_BYTES;
use std::io;
use std::ops::Range;

/// The addresses just below this thread's stack, where an overflow strikes first.
#[allow(clippy::unnecessary_wraps)] // the signature is that of systems where it can fail
pub fn guard() -> io::Result<Range<usize>> {
    let end = bounds()?.start;
    Ok(end.saturating_sub(GUARD_BYTES)..end)
}

/// The addresses of this thread's stack.
#[allow(clippy::unnecessary_wraps)] // the signature is that of systems where it can fail
pub fn bounds() -> io::Result<Range<usize>> {
    // SAFETY: duty: none, the calls take this thread.
    let (top, len) = unsafe {
        let this = libc::pthread_self();
        (libc::pthread_get_stackaddr_np(this).addr(), libc::pthread_get_stacksize_np(this))
    };
    Ok(top.saturating_sub(len)..top)
}

/// Whether a signal with this code was sent by somebody: `SI_USER` and what follows.
pub fn is_sent(code: libc::c_int) -> bool {
    code <= 0 || code >= 0x10001
}

/// The stack pointer of the thread that a signal has interrupted. Async-signal-safe.
pub fn stack_pointer(context: *const libc::c_void) -> Option<usize> {
    // SAFETY: duty: a live `ucontext_t` or null: the kernel passes one to each handler set with SA_SIGINFO; the registers that
    // it points to live as long.
    let registers = unsafe { context.cast::<libc::ucontext_t>().as_ref()?.uc_mcontext.as_ref() }?;
    #[cfg(target_arch = "x86_64")]
    let pointer = registers.__ss.__rsp;
    #[cfg(target_arch = "aarch64")]
    let pointer = registers.__ss.__sp;
    usize::try_from(pointer).ok()
}
