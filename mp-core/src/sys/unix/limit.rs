//! What this process may use at most.

use crate::limits::ADDRESS_SPACE_LEFT;
use rustix::process::{Resource as Which, Rlimit, getrlimit, nice, setrlimit};
use std::hint::black_box;
use std::io;

pub use crate::sys::resource::Resource;

/// Whether this system keeps such a limit.
pub fn is_kept(resource: Resource) -> bool {
    match resource {
        // macOS takes it, and does not keep it.
        Resource::AddressSpace => cfg!(not(target_os = "macos")),
        Resource::CpuTime | Resource::OpenFiles => true,
    }
}

/// Allows this process, and what it starts, `most` of a resource, for good; where it was allowed less, that.
///
/// # Errors
/// [`io::ErrorKind::OutOfMemory`] if it has as much address space already: it is as it was then. Those of the system.
pub fn set(resource: Resource, most: u64) -> io::Result<()> {
    // A second more for who handles the signal.
    let (which, last) = match resource {
        Resource::AddressSpace => (Which::As, most),
        Resource::CpuTime => (Which::Cpu, most.saturating_add(1)),
        Resource::OpenFiles => (Which::Nofile, most),
    };
    let before = getrlimit(which);
    let allowed = before.maximum.unwrap_or(u64::MAX);
    let current = Some(most.min(allowed));
    if resource == Resource::AddressSpace {
        setrlimit(which, Rlimit { current, ..before })?;
        if !is_room() {
            setrlimit(which, before)?;
            return Err(io::ErrorKind::OutOfMemory.into());
        }
    }
    Ok(setrlimit(which, Rlimit { current, maximum: Some(last.min(allowed)) })?)
}

/// Whether there is address space left to run something in.
fn is_room() -> bool {
    let mut some = Vec::<u8>::new();
    let room = some.try_reserve_exact(ADDRESS_SPACE_LEFT).is_ok();
    black_box(&some);
    room
}

/// Lets others go first: by so many of the steps of `nice`, of which there are 19.
///
/// # Errors
/// Those of the system.
pub fn give_way(steps: u32) -> io::Result<()> {
    nice(steps.min(19).cast_signed())?;
    Ok(())
}
