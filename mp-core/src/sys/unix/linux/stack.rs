//! Where this thread's stack ends, and a second stack for the handler of its overflow.

#![allow(unsafe_code)] // pthread attributes, sigaltstack and the registers of a fault: rustix has none of them

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};
use rustix::process::getpid;
use rustix::thread::gettid;
use std::io;
use std::ops::Range;

/// Room for a handler that stores a few words and then calls std's, which formats a message.
const HANDLER_STACK_BYTES: usize = 64 * 1024;

/// How far below the stack an access may miss it and still count: a page that a probe touches, or a guard that
/// somebody made larger.
const GUARD_BYTES: usize = 64 * 1024;

/// The addresses just below this thread's stack, where an overflow strikes first. None are known of the main thread where
/// [`is_near_stack_pointer`] works: the C library reads the map of the whole process to find them.
pub(super) fn guard() -> io::Result<Range<usize>> {
    if KNOWS_STACK_POINTER && gettid() == getpid() {
        return Ok(0..0);
    }
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
    // Some C libraries count the guard into the stack: look on both sides of what they call its start.
    let start = start.addr();
    let page = rustix::param::page_size();
    Ok(start.saturating_sub(guard.max(GUARD_BYTES))..start + guard.max(page))
}

/// Gives this thread a stack for signal handlers, unless it has one (std gives one to each thread once its runtime is
/// up). It is never freed: a thread that serves tasks lives as long as its process.
pub(super) fn add_handler_stack() -> io::Result<()> {
    // SAFETY: duty: all-zero bytes are valid: a C struct of a pointer and integers.
    let mut now: libc::stack_t = unsafe { std::mem::zeroed() };
    // SAFETY: duty: valid pointers: null asks for no change, `now` is a live local.
    if unsafe { libc::sigaltstack(std::ptr::null(), &raw mut now) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if now.ss_flags & libc::SS_DISABLE == 0 {
        return Ok(());
    }
    let page = rustix::param::page_size();
    let len = HANDLER_STACK_BYTES + page;
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
    // SAFETY: duty: replace no existing mapping: no address is given, so the kernel keeps it.
    let start = unsafe { mmap_anonymous(std::ptr::null_mut(), len, protection, flags)? };
    // SAFETY: duty: nobody uses the page that becomes unreadable: the mapping is new and one page longer than needed.
    unsafe { mprotect(start, page, MprotectFlags::empty())? };
    let stack = libc::stack_t {
        // SAFETY: duty: in bounds: the mapping is a page longer than the stack.
        ss_sp: unsafe { start.byte_add(page) },
        ss_flags: 0,
        ss_size: HANDLER_STACK_BYTES,
    };
    // SAFETY: duty: writable memory that outlives the thread: mapped above and never unmapped.
    if unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Whether an access that faulted at `address` struck right at the stack pointer of the interrupted thread: what lies
/// there is mapped unless the stack has ended. Works for every thread. Async-signal-safe.
pub(super) fn is_near_stack_pointer(address: usize, context: *const libc::c_void) -> bool {
    stack_pointer(context).is_some_and(|pointer| address.abs_diff(pointer) <= GUARD_BYTES)
}

const KNOWS_STACK_POINTER: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

#[cfg(target_arch = "x86_64")]
fn stack_pointer(context: *const libc::c_void) -> Option<usize> {
    // SAFETY: duty: a live `ucontext_t` or null: the kernel passes one to each handler set with SA_SIGINFO.
    let context = unsafe { context.cast::<libc::ucontext_t>().as_ref() }?;
    usize::try_from(context.uc_mcontext.gregs[libc::REG_RSP as usize].cast_unsigned()).ok()
}

#[cfg(target_arch = "aarch64")]
fn stack_pointer(context: *const libc::c_void) -> Option<usize> {
    // SAFETY: duty: a live `ucontext_t` or null: the kernel passes one to each handler set with SA_SIGINFO.
    let context = unsafe { context.cast::<libc::ucontext_t>().as_ref() }?;
    usize::try_from(context.uc_mcontext.sp).ok()
}

/// Elsewhere only the guard of the thread that installed the handlers is known.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn stack_pointer(_: *const libc::c_void) -> Option<usize> {
    None
}
