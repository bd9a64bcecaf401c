//! A second stack for the handler of an overflow of the first.

#![allow(unsafe_code)] // sigaltstack: rustix has none

use super::platform::stack;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};
use std::io;

/// Room for a handler that stores a few words and then calls std's, which formats a message.
const HANDLER_STACK_BYTES: usize = 64 * 1024;

/// How far below the stack an access may miss it and still count: a page that a probe touches, or a guard that
/// somebody made larger.
pub(super) const GUARD_BYTES: usize = 64 * 1024;

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
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
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
    stack::stack_pointer(context).is_some_and(|pointer| address.abs_diff(pointer) <= GUARD_BYTES)
}
