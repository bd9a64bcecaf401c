//! Where this thread's stack lies and ends, and where the stack pointer of a thread was that a signal has interrupted.

#![allow(unsafe_code)] // pthread attributes and the registers of a fault: rustix has neither

use super::super::handler_stack::GUARD_BYTES;
use rustix::process::{Resource, getpid, getrlimit};
use rustix::thread::gettid;
use std::io;
use std::ops::Range;

/// The addresses just below this thread's stack, where an overflow strikes first. None are known of the main thread where
/// [`stack_pointer`] works: the C library reads the map of the whole process to find them.
pub fn guard() -> io::Result<Range<usize>> {
    if KNOWS_STACK_POINTER && gettid() == getpid() {
        return Ok(0..0);
    }
    let (start, _, guard) = area()?;
    // Some C libraries count the guard into the stack: look on both sides of what they call its start.
    let page = rustix::param::page_size();
    Ok(start.saturating_sub(guard.max(GUARD_BYTES))..start + guard.max(page))
}

/// The addresses of this thread's stack. That of the main thread grows up to the limit that the program was started with.
pub fn bounds() -> io::Result<Range<usize>> {
    if gettid() != getpid() {
        let (start, len, _) = area()?;
        return Ok(start..start.saturating_add(len));
    }
    let end = super::arguments::start_of_stack()?;
    let limit = getrlimit(Resource::Stack).current.and_then(|limit| usize::try_from(limit).ok());
    Ok(limit.map_or(0, |limit| end.saturating_sub(limit))..end)
}

/// Where the stack of this thread starts, how long it is, and how long its guard, as the C library says it.
fn area() -> io::Result<(usize, usize, usize)> {
    // SAFETY: duty: all-zero bytes may stand in for an attribute object until the next call fills it in.
    let mut attributes: libc::pthread_attr_t = unsafe { std::mem::zeroed() };
    let (mut start, mut len, mut guard) = (std::ptr::null_mut(), 0, 0);
    // SAFETY: duty: valid pointers: live locals; the attribute object is initialised by the first call and destroyed
    // once, here, only if that succeeded.
    let result = unsafe {
        let result = libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes);
        if result == 0 {
            libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut len);
            libc::pthread_attr_getguardsize(&raw const attributes, &raw mut guard);
            libc::pthread_attr_destroy(&raw mut attributes);
        }
        result
    };
    if result != 0 {
        return Err(io::Error::from_raw_os_error(result));
    }
    Ok((start.addr(), len, guard))
}

const KNOWS_STACK_POINTER: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// Whether a signal with this code was sent by somebody: a fault has a positive one.
pub fn is_sent(code: libc::c_int) -> bool {
    code <= 0
}

/// The stack pointer of the thread that a signal has interrupted. Async-signal-safe.
#[cfg(target_arch = "x86_64")]
pub fn stack_pointer(context: *const libc::c_void) -> Option<usize> {
    // SAFETY: duty: a live `ucontext_t` or null: the kernel passes one to each handler set with SA_SIGINFO.
    let context = unsafe { context.cast::<libc::ucontext_t>().as_ref() }?;
    usize::try_from(context.uc_mcontext.gregs[libc::REG_RSP as usize].cast_unsigned()).ok()
}

/// The stack pointer of the thread that a signal has interrupted. Async-signal-safe.
#[cfg(target_arch = "aarch64")]
pub fn stack_pointer(context: *const libc::c_void) -> Option<usize> {
    // SAFETY: duty: a live `ucontext_t` or null: the kernel passes one to each handler set with SA_SIGINFO.
    let context = unsafe { context.cast::<libc::ucontext_t>().as_ref() }?;
    usize::try_from(context.uc_mcontext.sp).ok()
}

/// Elsewhere only the guard of the thread that installed the handlers is known.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub fn stack_pointer(_: *const libc::c_void) -> Option<usize> {
    None
}
