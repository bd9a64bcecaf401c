//! Where this thread runs and how much there is to run on.

#![allow(unsafe_code)] // GetCurrentProcessorNumber

use windows_sys::Win32::System::Threading::GetCurrentProcessorNumber;

/// The CPU this thread runs on right now, by number. Already old when returned: good for a guess only.
pub fn current() -> u32 {
    // SAFETY: duty: none, the call has no arguments and no effect.
    unsafe { GetCurrentProcessorNumber() }
}

/// How many CPUs this process may keep busy; at least 1.
pub fn available() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
