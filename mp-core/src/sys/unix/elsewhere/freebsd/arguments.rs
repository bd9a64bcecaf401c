//! The arguments as the kernel keeps them: std knows them from `main` on.

#![allow(unsafe_code)] // writes one null into the argument vector

use super::sysctl;
use std::ffi::{CStr, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What lies at `kern.ps_strings`: where this process's arguments are (`sys/exec.h`).
#[repr(C)]
struct PsStrings {
    arguments: *mut *const libc::c_char,
    count: libc::c_uint,
}

/// This process's arguments, also before `main`.
pub fn arguments() -> Vec<OsString> {
    let known: Vec<_> = std::env::args_os().collect();
    if known.is_empty() { recorded().unwrap_or_default() } else { known }
}

/// Removes the last argument from the vector if it is `expected`; whether it was.
///
/// std walks the vector up to the first null each time it is asked, so it never shows that argument again.
pub fn remove_last(expected: &OsStr) -> io::Result<bool> {
    let bytes = sysctl::bytes(&[libc::CTL_KERN, libc::KERN_PS_STRINGS])?;
    let elsewhere =
        || io::Error::new(io::ErrorKind::Unsupported, "the argument vector is not where the kernel puts it");
    let address = usize::from_ne_bytes(*bytes.first_chunk().ok_or_else(elsewhere)?);
    let strings = std::ptr::with_exposed_provenance::<PsStrings>(address);
    if strings.is_null() || !strings.is_aligned() {
        return Err(elsewhere());
    }
    // SAFETY: duty: readable and aligned: the kernel names the place that it has filled in itself, on a stack that is mapped as
    // long as the process lives.
    let PsStrings { arguments, count } = unsafe { strings.read() };
    let Some(last) = count.checked_sub(1) else { return Ok(false) };
    // SAFETY: duty: in bounds: the kernel says how many there are, and each is a terminated string. Duty: writable, and read by
    // nobody at this moment: C lets a program change it, and `entry` is called before threads exist.
    unsafe {
        let place = arguments.add(last as usize);
        let is_it = !(*place).is_null() && CStr::from_ptr(*place).to_bytes() == expected.as_bytes();
        if is_it {
            place.write_volatile(std::ptr::null());
        }
        Ok(is_it)
    }
}

/// The arguments as the kernel recorded them at exec.
fn recorded() -> io::Result<Vec<OsString>> {
    const OURS: libc::c_int = -1;
    let text = sysctl::bytes(&[libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_ARGS, OURS])?;
    let text = text.strip_suffix(b"\0").unwrap_or(&text);
    Ok(text.split(|byte| *byte == 0).map(|one| OsString::from_vec(one.to_vec())).collect())
}
