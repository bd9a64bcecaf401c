//! A peer that is gone is an error, not a signal.

use super::Handle;
use rustix::net::SendFlags;
use std::io;

/// For each call.
pub const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;

/// For a socket: nothing, as each call says so.
#[allow(clippy::unnecessary_wraps)] // the signature is that of systems where it can fail
pub fn no_signal(_: &Handle) -> io::Result<()> {
    Ok(())
}
