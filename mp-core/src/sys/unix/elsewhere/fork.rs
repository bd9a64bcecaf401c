//! Copies of this process: only Linux makes a copy that is a child of our parent, and a copy made by `fork` must not call
//! into Apple's libraries.

use super::Handle;
use std::ffi::OsString;
use std::io;
use std::path::Path;

pub use crate::sys::promise::{Copied, Fork};

/// How many threads this process has.
pub fn threads() -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Copies this process; the copy is a child of our parent.
pub fn sibling() -> io::Result<Copied> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Copies this process; the copy is a child of ours.
pub fn child(_: Fork) -> io::Result<Copied> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes the surroundings of this process those that somebody has chosen for it.
pub fn take_place(
    _: Option<Handle>,
    _: Option<Handle>,
    _: &[(OsString, Option<OsString>)],
    _: Option<&Path>,
) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
