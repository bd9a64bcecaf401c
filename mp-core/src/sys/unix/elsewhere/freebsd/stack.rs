//! Where this thread's stack lies and ends, and where the stack pointer of a thread was that a signal has interrupted.

#![allow(unsafe_code)] // pthread attributes and the registers of a fault

use super::handler_stack::GUARD_BYTES;
use std::io;
use std::ops::Range;

/// The addresses just below this thread's stack, where an overflow strikes first.
pub fn guard() -> io::Result<Range<usize>> {
    let start = bounds()?.start;
    Ok(start.saturating_sub(GUARD_BYTES)..start + rustix::param::page_size())
}

/// The addresses of this thread's stack.
pub fn bounds() -> io::Result<Range<usize>> {
    // SAFETY: duty: all-zero bytes may stand in for an attribute object until the next call fills it in.
    let mut attributes: libc::pthread_attr_t = unsafe { std::mem::zeroed() };
    let (mut start, mut len) = (std::ptr::null_mut(), 0);
    // SAFETY: duty: valid pointers: live locals; the attribute object is initialised by the first call and destroyed once,
    // here, only if that succeeded.
    let result = unsafe {
        let mut result = libc::pthread_attr_init(&raw mut attributes);
        if result == 0 {
            result = libc::pthread_attr_get_np(libc::pthread_self(), &raw mut attributes);
            if result == 0 {
                result = libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut len);
            }
            libc::pthread_attr_destroy(&raw mut attributes);
        }
        result
    };
    if result != 0 {
        return Err(io::Error::from_raw_os_error(result));
    }
    let start = start.addr();
    Ok(start..start.saturating_add(len))
}

/// Whether a signal with this code was sent by somebody: `SI_USER` and what follows.
pub fn is_sent(code: libc::c_int) -> bool {
    code <= 0 || code >= 0x10001
}

/// The stack pointer of the thread that a signal has interrupted. Async-signal-safe.
pub fn stack_pointer(context: *const libc::c_void) -> Option<usize> {
    // SAFETY: duty: a live `ucontext_t` or null: the kernel passes one to each handler set with SA_SIGINFO.
    let context = unsafe { context.cast::<libc::ucontext_t>().as_ref() }?;
    #[cfg(target_arch = "x86_64")]
    return usize::try_from(context.uc_mcontext.mc_rsp).ok();
    #[cfg(target_arch = "aarch64")]
    return usize::try_from(context.uc_mcontext.mc_gpregs.gp_sp).ok();
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        // Elsewhere only the guard of the thread that installed the handlers is known.
        let _ = context;
        None
    }
}
