//! Asking the kernel by number.

#![allow(unsafe_code)] // sysctl

use std::io;

/// What the kernel says, in bytes.
pub fn bytes(name: &[libc::c_int]) -> io::Result<Vec<u8>> {
    loop {
        let mut len = 0;
        ask(name, std::ptr::null_mut(), &mut len)?;
        // It may be more by then.
        let mut found = Vec::<u8>::with_capacity(len + len / 8 + 64);
        len = found.capacity();
        match ask(name, found.as_mut_ptr().cast(), &mut len) {
            Ok(()) => {
                // SAFETY: duty of `set_len`: the kernel has written so many bytes.
                unsafe { found.set_len(len) };
                return Ok(found);
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {}
            Err(error) => return Err(error),
        }
    }
}

fn ask(name: &[libc::c_int], room: *mut libc::c_void, len: &mut usize) -> io::Result<()> {
    // SAFETY: duty: valid pointers: a live slice, a live local, and room for as many bytes as it says, or null, by the callers.
    let done =
        unsafe { libc::sysctl(name.as_ptr(), name.len() as libc::c_uint, room, len, std::ptr::null(), 0) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
