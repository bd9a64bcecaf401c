//! Crash notes: what struck, and where, written by a signal handler into shared memory.
//!
//! ```text
//!  fault ─► note it ─► the handler that was there before (std's says "has overflowed its stack") ─► death
//! ```
//!
//! The note is all this adds: the process dies of the same signal as without it. SIGABRT is left alone: it has no
//! address, and the exit status says as much.

#![allow(unsafe_code)] // a signal handler, and the call of the handler that was there before

use super::disposition::{self, Handler};
use super::handler_stack::{add_handler_stack, is_near_stack_pointer};
use super::platform::stack;
use std::io;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};

/// The note, all zero until something strikes. It lies in memory that outlives the process.
///
/// | `signal` | `overflow` | `address` | meaning |
/// |---|---|---|---|
/// | 0 | 0 | 0 | nothing happened |
/// | number | 0 or 1 | any | this signal struck at this address; 1: the stack had run out |
#[repr(C)]
#[derive(Debug, Default)]
pub struct FaultWords {
    signal: AtomicU32,
    overflow: AtomicU32,
    address: AtomicU64,
}

/// What a [`FaultWords`] says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The signal that struck.
    pub signal: i32,
    /// The address that was accessed (SIGSEGV, SIGBUS) or executed (SIGILL, SIGFPE).
    pub address: u64,
    /// Whether the stack had run out.
    pub is_stack_overflow: bool,
}

const SIGNALS: [libc::c_int; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

static REPORT: AtomicPtr<FaultWords> = AtomicPtr::new(std::ptr::null_mut());
static GUARD: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

/// What each of [`SIGNALS`] did before: the handler's address, or the numbers of the default and of "ignore".
static BEFORE: [AtomicUsize; SIGNALS.len()] = [const { AtomicUsize::new(libc::SIG_DFL) }; SIGNALS.len()];
/// The flags of the handlers in [`BEFORE`].
static BEFORE_FLAGS: [AtomicU32; SIGNALS.len()] = [const { AtomicU32::new(0) }; SIGNALS.len()];

impl FaultWords {
    /// The note. Only the first fault is noted: what follows are its consequences.
    pub fn read(&self) -> Option<Fault> {
        // PAIR: `note` claims the word first. The reader looks when the process is dead, so the rest is there.
        let signal = self.signal.load(Acquire);
        (signal != 0).then(|| Fault {
            signal: signal.cast_signed(),
            address: self.address.load(Relaxed),
            is_stack_overflow: self.overflow.load(Relaxed) == 1,
        })
    }

    fn note(&self, signal: libc::c_int, address: usize, overflow: bool) {
        // PAIR: `read`, after the death of this process; and other threads that are struck at the same time.
        if self.signal.compare_exchange(0, signal.cast_unsigned(), AcqRel, Relaxed).is_ok() {
            self.address.store(address as u64, Relaxed);
            self.overflow.store(overflow.into(), Relaxed);
        }
    }
}

/// Has faults of this process noted in `report`, and gives this thread a stack to handle its overflow on. Calling it
/// again changes where notes go and which thread's guard is known.
pub fn install(report: &'static FaultWords) -> io::Result<()> {
    add_handler_stack()?;
    if let Ok(guard) = stack::guard() {
        GUARD[0].store(guard.start, Relaxed);
        GUARD[1].store(guard.end, Relaxed);
    }
    // PAIR: `on_fault` acquires it.
    REPORT.store(std::ptr::from_ref(report).cast_mut(), Release);
    for (index, signal) in SIGNALS.into_iter().enumerate() {
        let before = disposition::query(signal)?;
        if before.sa_sigaction != on_fault as Handler as usize {
            BEFORE_FLAGS[index].store(before.sa_flags.cast_unsigned(), Relaxed);
            // PAIR: `hand_on` acquires it.
            BEFORE[index].store(before.sa_sigaction, Release);
            // SAFETY: duty: an async-signal-safe handler: `on_fault` uses atomics, sigaction and raise only.
            unsafe { disposition::handle(signal, on_fault)? };
        }
    }
    Ok(())
}

extern "C" fn on_fault(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: duty: a live `siginfo_t`: the kernel passes one to each handler set with SA_SIGINFO; the address field is
    // there for the signals we handle, and zero bytes or a sender's number when somebody sent them with `kill`.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr().addr()) };
    let is_sent = stack::is_sent(code);
    // SAFETY: duty: null or alive: `install` stores a `'static` reference.
    if let Some(report) = unsafe { REPORT.load(Acquire).as_ref() } {
        let is_access = matches!(signal, libc::SIGSEGV | libc::SIGBUS) && !is_sent;
        let guard = GUARD[0].load(Relaxed)..GUARD[1].load(Relaxed);
        let overflow = is_access && (guard.contains(&address) || is_near_stack_pointer(address, context));
        report.note(signal, if is_sent { 0 } else { address }, overflow);
    }
    hand_on(signal, info, context);
    // An instruction that faulted faults again when we return, now with the disposition the handler before us left
    // behind. A signal that was sent does not come again by itself: std's handler counts on a second one.
    if is_sent && disposition::query(signal).is_ok_and(|now| now.sa_sigaction == libc::SIG_DFL) {
        disposition::raise(signal);
    }
}

fn hand_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(index) = SIGNALS.iter().position(|one| *one == signal) else { return };
    // PAIR: `install` stores it before it sets our handler.
    let before = BEFORE[index].load(Acquire);
    if before == libc::SIG_DFL || before == libc::SIG_IGN {
        // A fault cannot be ignored: the kernel ends the process then as well.
        let _ = disposition::set_default(signal);
    } else if BEFORE_FLAGS[index].load(Relaxed).cast_signed() & libc::SA_SIGINFO == 0 {
        // SAFETY: duty: a function of this form: the system would have called it so, by its flags.
        let before: extern "C" fn(libc::c_int) = unsafe { std::mem::transmute(before) };
        before(signal);
    } else {
        // SAFETY: duty: a function of this form: the system would have called it so, by its flags.
        let before: Handler = unsafe { std::mem::transmute(before) };
        before(signal, info, context);
    }
}
