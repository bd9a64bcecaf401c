//! What is said where there is no port yet.

use std::io;

/// The error.
pub fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "not on this system yet")
}
