//! Crash notes: what struck, and where, written by an exception filter into shared memory.
//!
//! ```text
//!  fault that nobody handles ─► note it ─► the filter that was there before ─► the end, with the code of the exception
//! ```
//! The system would now look for somebody to report to, on what is left of a stack that may have run out. The parent reports
//! instead, so the filter ends the process itself. An overflow of the stack is not even looked for a handler.

#![allow(unsafe_code)] // an exception filter, and the call of the one that was there before

use super::exit::exit_now;
use std::io;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
use windows_sys::Win32::Foundation::{
    EXCEPTION_ACCESS_VIOLATION, EXCEPTION_IN_PAGE_ERROR, EXCEPTION_STACK_OVERFLOW,
};
use windows_sys::Win32::System::Diagnostics::Debug::{
    AddVectoredExceptionHandler, EXCEPTION_POINTERS, LPTOP_LEVEL_EXCEPTION_FILTER,
    SetUnhandledExceptionFilter,
};

/// The note, all zero until something strikes. It lies in memory that outlives the process.
///
/// | `code` | `overflow` | `address` | meaning |
/// |---|---|---|---|
/// | 0 | 0 | 0 | nothing happened |
/// | number | 0 or 1 | any | this exception struck at this address; 1: the stack had run out |
#[repr(C)]
#[derive(Debug, Default)]
pub struct FaultWords {
    code: AtomicU32,
    overflow: AtomicU32,
    address: AtomicU64,
}

/// What a [`FaultWords`] says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The exception code.
    pub signal: i32,
    /// The address that was accessed (access violations) or executed.
    pub address: u64,
    /// Whether the stack had run out.
    pub is_stack_overflow: bool,
}

/// What a filter says that has done nothing about it.
const CONTINUE_SEARCH: i32 = 0;

static REPORT: AtomicPtr<FaultWords> = AtomicPtr::new(std::ptr::null_mut());

/// The filter that was there before, or zero.
static BEFORE: AtomicUsize = AtomicUsize::new(0);

impl FaultWords {
    /// The note. Only the first fault is noted: what follows are its consequences.
    pub fn read(&self) -> Option<Fault> {
        // PAIR: `note` claims the word first. The reader looks when the process is dead, so the rest is there.
        let code = self.code.load(Acquire);
        (code != 0).then(|| Fault {
            signal: code.cast_signed(),
            address: self.address.load(Relaxed),
            is_stack_overflow: self.overflow.load(Relaxed) == 1,
        })
    }

    fn note(&self, code: i32, address: usize) {
        // PAIR: `read`, after the death of this process; and other threads that are struck at the same time.
        if self.code.compare_exchange(0, code.cast_unsigned(), AcqRel, Relaxed).is_ok() {
            self.address.store(address as u64, Relaxed);
            self.overflow.store((code == EXCEPTION_STACK_OVERFLOW).into(), Relaxed);
        }
    }
}

/// Has faults of this process noted in `report`. Calling it again changes where notes go.
#[allow(clippy::unnecessary_wraps)] // the signature is that of systems where it can fail
pub fn install(report: &'static FaultWords) -> io::Result<()> {
    // PAIR: `on_fault` acquires it.
    REPORT.store(std::ptr::from_ref(report).cast_mut(), Release);
    // SAFETY: duty: a filter of the right form that lives for ever: a function.
    let before = unsafe { SetUnhandledExceptionFilter(Some(on_fault)) };
    let before = before.map_or(0, |before| before as usize);
    if before != on_fault as *const () as usize {
        // PAIR: `on_fault` acquires it.
        BEFORE.store(before, Release);
        // SAFETY: duty: a handler of the right form that lives for ever: a function.
        unsafe { AddVectoredExceptionHandler(FIRST, Some(on_overflow)) };
    }
    Ok(())
}

/// A handler that is asked before those that are there: std's prints a message, which takes more than what may be left of the stack.
/// Where that runs out once more, Wine stands still. The parent says what has happened.
const FIRST: u32 = 1;

/// A search for somebody who handles it would go through all of the stack, on what is left of it.
extern "system" fn on_overflow(pointers: *mut EXCEPTION_POINTERS) -> i32 {
    // SAFETY: duty: alive: the system passes live pointers to its handlers.
    if unsafe { (*(*pointers).ExceptionRecord).ExceptionCode } == EXCEPTION_STACK_OVERFLOW {
        return on_fault(pointers);
    }
    CONTINUE_SEARCH
}

extern "system" fn on_fault(pointers: *const EXCEPTION_POINTERS) -> i32 {
    // SAFETY: duty: alive: the system passes live pointers to its filters.
    let record = unsafe { &*(*pointers).ExceptionRecord };
    // SAFETY: duty: null or alive: `install` stores a `'static` reference.
    if let Some(report) = unsafe { REPORT.load(Acquire).as_ref() } {
        let is_access = matches!(record.ExceptionCode, EXCEPTION_ACCESS_VIOLATION | EXCEPTION_IN_PAGE_ERROR);
        // The second word says where.
        let address = if is_access { record.ExceptionInformation[1] } else { record.ExceptionAddress.addr() };
        report.note(record.ExceptionCode, address);
    }
    // SAFETY: duty: a filter or nothing: `install` has got it from the system.
    let before: LPTOP_LEVEL_EXCEPTION_FILTER = unsafe { std::mem::transmute(BEFORE.load(Acquire)) };
    // SAFETY: duty: as the system would have called it.
    let answer = before.map_or(CONTINUE_SEARCH, |before| unsafe { before(pointers) });
    if answer == CONTINUE_SEARCH { exit_now(record.ExceptionCode) } else { answer }
}
