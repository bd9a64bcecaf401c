//! Where this thread runs.

#![allow(unsafe_code)] // a function that is looked up by name

use super::symbol;
use std::sync::OnceLock;

type Number = unsafe extern "C" fn(*mut usize) -> libc::c_int;

/// The CPU this thread runs on right now, by number; 0 before macOS 11, and partners then never spin.
pub fn current() -> u32 {
    static NUMBER: OnceLock<Option<Number>> = OnceLock::new();
    let number = NUMBER.get_or_init(|| {
        let found = symbol::find(c"pthread_cpu_number_np")?;
        // SAFETY: duty: the type fits the symbol: the system's header says so.
        Some(unsafe { std::mem::transmute::<*mut libc::c_void, Number>(found.as_ptr()) })
    });
    let mut cpu = 0;
    if let Some(number) = number {
        // SAFETY: duty: a valid pointer: a live local.
        unsafe { number(&raw mut cpu) };
    }
    u32::try_from(cpu).unwrap_or(0)
}
