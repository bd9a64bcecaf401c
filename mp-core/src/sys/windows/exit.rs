//! The end of this process.
//!
//! | what ends it | what is called |
//! |---|---|
//! | return from main | the exit handlers of the C library |
//! | `std::process::exit` | callbacks for thread-local storage; Wine leaves out those of the program itself |
//! | the same, under Wine | callbacks for fibre-local storage, of the thread that exits |
//!
//! So handlers are called by whichever comes first. Only in the first case are there other threads; a worker that ends by itself
//! calls [`exit`].

#![allow(unsafe_code)] // atexit, and callbacks that the loader calls

use std::ffi::c_void;
use std::io;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicUsize};
use windows_sys::Win32::System::SystemServices::DLL_PROCESS_DETACH;
use windows_sys::Win32::System::Threading::{
    FLS_OUT_OF_INDEXES, FlsAlloc, FlsSetValue, GetCurrentProcess, TerminateProcess,
};

/// The handlers, and zero where there is none.
static HANDLERS: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];

/// The place of fibre-local storage whose callback is ours.
static FIBRE_SLOT: AtomicU32 = AtomicU32::new(FLS_OUT_OF_INDEXES);

// SAFETY: duty: the system has this function with this signature.
#[link(name = "ntdll")]
unsafe extern "system" {
    fn RtlDllShutdownInProgress() -> u8;
}

// SAFETY: duty: the C library of each Windows target has this function with this signature.
unsafe extern "C" {
    fn atexit(handler: extern "C" fn()) -> i32;
}

/// Ends this process at once: no destructors, no exit handlers, no flushing.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: duty: none of ours is left undone by it: the caller asked for exactly this.
    unsafe { TerminateProcess(GetCurrentProcess(), code.cast_unsigned()) };
    std::process::abort()
}

/// Ends this process in an orderly way: what [`on_exit`] was given is called while the other threads go on.
pub fn exit(code: i32) -> ! {
    run();
    std::process::exit(code)
}

/// Has `handler` called when this process exits in an orderly way (`exit` or return from main).
pub fn on_exit(handler: extern "C" fn()) -> io::Result<()> {
    // Nobody else asks for it, and the linker would leave it out.
    std::hint::black_box(&CALLBACK);
    // Handlers are called in the order of the slots, so each is in one of its own.
    let free =
        HANDLERS.iter().position(|slot| slot.compare_exchange(0, handler as usize, SeqCst, SeqCst).is_ok());
    let full = || io::Error::new(io::ErrorKind::OutOfMemory, "no room for another exit handler");
    if free.ok_or_else(full)? == 0 {
        // SAFETY: duty: a function that may be called at exit: `run` is safe and unwinds nothing.
        let refused = unsafe { atexit(run) };
        // SAFETY: duty: a callback of the right form that lives for ever: a function.
        let slot = unsafe { FlsAlloc(Some(on_end_of_thread)) };
        if refused != 0 || slot == FLS_OUT_OF_INDEXES {
            return Err(full());
        }
        FIBRE_SLOT.store(slot, SeqCst);
    }
    // The callback is for threads that have a value.
    // SAFETY: duty: none: the value is never used as a pointer.
    unsafe { FlsSetValue(FIBRE_SLOT.load(SeqCst), std::ptr::dangling()) };
    Ok(())
}

/// What the system calls when a thread ends that has a value, also by the end of the process.
extern "system" fn on_end_of_thread(_: *const c_void) {
    // SAFETY: duty: none, the call takes nothing.
    if unsafe { RtlDllShutdownInProgress() } != 0 {
        run();
    }
}

/// Calls each handler once.
extern "C" fn run() {
    for slot in &HANDLERS {
        let handler = slot.swap(0, SeqCst);
        if handler != 0 {
            // SAFETY: duty: a function of this form: `on_exit` has put it there.
            let handler: extern "C" fn() = unsafe { std::mem::transmute(handler) };
            handler();
        }
    }
}

/// What the loader calls when threads and the process come and go.
extern "system" fn on_loader(_: *mut c_void, reason: u32, _: *mut c_void) {
    if reason == DLL_PROCESS_DETACH {
        run();
    }
}

// SAFETY: duty: what lies in this section is a function of this signature: the loader's contract.
#[used]
#[unsafe(link_section = ".CRT$XLC")]
static CALLBACK: extern "system" fn(*mut c_void, u32, *mut c_void) = on_loader;
