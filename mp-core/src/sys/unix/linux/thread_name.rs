//! What `ps` and `top` call a thread.

use std::ffi::CStr;
use std::io;

/// Names this thread (and, on the main thread, this process) for `ps` and `top`: the first 15 bytes.
pub fn set_name(name: &str) -> io::Result<()> {
    // On the stack: it is the first thing that a bare thread does, see there.
    let mut bytes = [0; 16];
    let len = name.len().min(15);
    bytes[..len].copy_from_slice(&name.as_bytes()[..len]);
    let name = CStr::from_bytes_until_nul(&bytes).map_err(io::Error::other)?;
    Ok(rustix::thread::set_name(name)?)
}
