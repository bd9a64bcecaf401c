//! Threads that cost little to start.

#![allow(unsafe_code)] // pthread_create: std's threads come with a stack for signal handlers, and with the C library's heap

use super::errno::no_process_made;
use super::platform::thread_name::set_name;
use std::io;

pub use super::platform::cpu::{Kept, step_aside};

/// What a bare thread does.
type Body = Box<dyn FnOnce() + Send>;

/// The stack of a bare thread, in bytes: for loops that wait and copy.
const STACK_BYTES: usize = 128 << 10;

/// A thread that is about to start.
struct Start {
    name: &'static str,
    body: Option<Body>,
}

/// Starts a thread that nobody joins, without std's report of an overflow of its stack. A panic in it ends the process.
///
/// Nothing is allocated or freed in it before the body does so: the C library gives each thread that does a heap of its own,
/// which takes longer than starting it.
pub fn spawn_bare(name: &'static str, body: Body) -> io::Result<()> {
    let start = Box::into_raw(Box::new(Start { name, body: Some(body) }));
    let mut thread = std::mem::MaybeUninit::uninit();
    // SAFETY: duty: all-zero bytes may stand in for an attribute object until the next call fills it in.
    let mut attributes: libc::pthread_attr_t = unsafe { std::mem::zeroed() };
    // SAFETY: duty: valid pointers: live locals; the attribute object is initialised before use and destroyed after. The
    // new thread takes the box over.
    let error = unsafe {
        match libc::pthread_attr_init(&raw mut attributes) {
            0 => {
                libc::pthread_attr_setstacksize(&raw mut attributes, STACK_BYTES);
                libc::pthread_attr_setdetachstate(&raw mut attributes, libc::PTHREAD_CREATE_DETACHED);
                let error =
                    libc::pthread_create(thread.as_mut_ptr(), &raw const attributes, run, start.cast());
                libc::pthread_attr_destroy(&raw mut attributes);
                error
            }
            error => error,
        }
    };
    if error == 0 {
        return Ok(());
    }
    // SAFETY: duty: from `Box::into_raw`, and nobody else's: no thread was made that could have taken it over.
    drop(unsafe { Box::from_raw(start) });
    Err(no_process_made(io::Error::from_raw_os_error(error)))
}

/// The same; the thread is kept on the processor of the one that starts it until it [lets itself go](Kept::let_go). To wake
/// another processor for it would take longer than all that it does at first, and would make the end of this process, and
/// each change of its memory before that, a matter of two processors.
pub fn spawn_near(name: &'static str, body: impl FnOnce(Kept) + Send + 'static) -> io::Result<()> {
    let kept = Kept::here();
    let begun = spawn_bare(name, Box::new(move || body(kept)));
    kept.let_go();
    begun
}

extern "C" fn run(start: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: duty: from `Box::into_raw`, and nobody else's: `spawn_bare` hands over a box of this type to one thread. It
    // stays allocated: each process starts a handful of such threads.
    let start = unsafe { &mut *start.cast::<Start>() };
    let _ = set_name(start.name);
    if let Some(body) = start.body.take() {
        body();
    }
    std::ptr::null_mut()
}
