//! A peer that is gone is an error, not a signal.

use super::Handle;
use rustix::net::{SendFlags, sockopt};
use std::io;

/// For each call: there is no such flag.
pub const NO_SIGNAL: SendFlags = SendFlags::empty();

/// For a socket, wherever it travels.
pub fn no_signal(socket: &Handle) -> io::Result<()> {
    Ok(sockopt::set_socket_nosigpipe(socket, true)?)
}
