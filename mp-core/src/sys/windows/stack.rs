//! Where this thread's stack lies.

#![allow(unsafe_code)] // the system says it through pointers

use std::io;
use std::ops::Range;
use windows_sys::Win32::System::Threading::GetCurrentThreadStackLimits;

/// The addresses of this thread's stack, as far as it may grow.
#[allow(clippy::unnecessary_wraps)] // the signature is that of systems where it can fail
pub fn bounds() -> io::Result<Range<usize>> {
    let (mut low, mut high) = (0, 0);
    // SAFETY: duty: valid pointers: live locals.
    unsafe { GetCurrentThreadStackLimits(&raw mut low, &raw mut high) };
    Ok(low..high)
}
