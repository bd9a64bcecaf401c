//! Where this thread runs and how much there is to run on.

#![allow(unsafe_code)] // GetCurrentProcessorNumber, the masks of processors

use super::call::checked;
use std::io;
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentProcessorNumber, GetProcessAffinityMask, SetProcessAffinityMask,
};

/// The CPU this thread runs on right now, by number. Already old when returned: good for a guess only.
pub fn current() -> u32 {
    // SAFETY: duty: none, the call has no arguments and no effect.
    unsafe { GetCurrentProcessorNumber() }
}

/// How many CPUs this process may keep busy, by affinity and otherwise all; at least 1.
pub fn available() -> usize {
    match masks() {
        Ok((ours, all)) if ours != all => ours.count_ones() as usize,
        Ok(_) | Err(_) => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    }
}

/// The processors of this process's group that it may use, and all of them, a bit each.
fn masks() -> io::Result<(usize, usize)> {
    let (mut ours, mut all) = (0, 0);
    // SAFETY: duty: both words live through the call; the handle is a constant.
    checked(unsafe { GetProcessAffinityMask(GetCurrentProcess(), &raw mut ours, &raw mut all) })?;
    Ok((ours, all))
}

/// The processors that this process may run on, by number; `None` where that cannot be told: with more than 64 of them there are several
/// groups, of which a process has one here.
pub fn allowed() -> Option<Vec<u32>> {
    let (ours, _) = masks().ok()?;
    Some((0..usize::BITS).filter(|cpu| ours >> cpu & 1 == 1).collect())
}

/// Has this process run on these processors only.
///
/// # Errors
/// Those of the system: one of them does not exist or must not be used.
pub fn stay_on(processors: &[u32]) -> io::Result<()> {
    let mask = processors.iter().filter(|&&cpu| cpu < usize::BITS).fold(0_usize, |mask, cpu| mask | 1 << cpu);
    // SAFETY: duty: none, the handle is a constant.
    checked(unsafe { SetProcessAffinityMask(GetCurrentProcess(), mask) })
}
