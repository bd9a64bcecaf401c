//! What this process may use at most.

#![allow(unsafe_code)] // job objects; the class of priority

use super::call::{checked, owned};
use crate::limits::ADDRESS_SPACE_LEFT;
use std::io;
use std::os::windows::io::AsRawHandle as _;
use std::ptr::null;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_PROCESS_MEMORY,
    JOB_OBJECT_LIMIT_PROCESS_TIME, JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation,
    SetInformationJobObject,
};
use windows_sys::Win32::System::ProcessStatus::{GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS_EX};
use windows_sys::Win32::System::Threading::{
    BELOW_NORMAL_PRIORITY_CLASS, GetCurrentProcess, IDLE_PRIORITY_CLASS, SetPriorityClass,
};

pub use crate::sys::resource::Resource;

/// Whether this system keeps such a limit.
pub fn is_kept(resource: Resource) -> bool {
    match resource {
        Resource::AddressSpace | Resource::CpuTime => true,
        Resource::OpenFiles => false,
    }
}

/// Allows this process, and each that it starts, `most` of a resource, for good; where it was allowed less, that.
///
/// # Errors
/// [`io::ErrorKind::OutOfMemory`] if it has as much memory already: it is as it was then. [`io::ErrorKind::Unsupported`] for what is not
/// kept. Those of the system.
pub fn set(resource: Resource, most: u64) -> io::Result<()> {
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    match resource {
        Resource::AddressSpace if promised()?.saturating_add(ADDRESS_SPACE_LEFT) as u64 > most => {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        Resource::AddressSpace => {
            limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_PROCESS_MEMORY;
            limits.ProcessMemoryLimit = usize::try_from(most).unwrap_or(usize::MAX);
        }
        Resource::CpuTime => {
            limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_PROCESS_TIME;
            // In units of 100 ns.
            limits.BasicLimitInformation.PerProcessUserTimeLimit =
                most.saturating_mul(10_000_000).min(i64::MAX as u64).cast_signed();
        }
        Resource::OpenFiles => return Err(io::ErrorKind::Unsupported.into()),
    }
    // SAFETY: duty: none, null is no name and no attributes; nobody else has the handle.
    let job = unsafe { owned(CreateJobObjectW(null(), null()))? };
    let size = size_of_val(&limits) as u32;
    // SAFETY: duty: `limits` is what this class of information is made of, and is as long as it says.
    let set = unsafe {
        SetInformationJobObject(
            job.as_raw_handle(),
            JobObjectExtendedLimitInformation,
            (&raw const limits).cast(),
            size,
        )
    };
    checked(set)?;
    // It stays for as long as a process is in it, also without a handle.
    // SAFETY: duty: the job is open: the line above.
    checked(unsafe { AssignProcessToJobObject(job.as_raw_handle(), GetCurrentProcess()) })
}

/// How many bytes of memory the system has promised to this process.
fn promised() -> io::Result<usize> {
    let mut counters = PROCESS_MEMORY_COUNTERS_EX::default();
    let size = size_of_val(&counters) as u32;
    // SAFETY: duty: the counters live through the call and are as long as it is told; the handle is a constant.
    checked(unsafe { GetProcessMemoryInfo(GetCurrentProcess(), (&raw mut counters).cast(), size) })?;
    Ok(counters.PrivateUsage)
}

/// Lets others go first: by so many of the steps of `nice`, of which there are 19; here there are two.
///
/// # Errors
/// Those of the system.
pub fn give_way(steps: u32) -> io::Result<()> {
    let class = if steps < 10 { BELOW_NORMAL_PRIORITY_CLASS } else { IDLE_PRIORITY_CLASS };
    // SAFETY: duty: none, the handle is a constant.
    checked(unsafe { SetPriorityClass(GetCurrentProcess(), class) })
}
