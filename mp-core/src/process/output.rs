//! Where a child's stdout and stderr go.

use crate::sys::process::Stdio;
use crate::sys::{self, Handle};
use std::fs::File;
use std::io::{self, PipeWriter};
use std::sync::Arc;

/// Where the stdout or stderr of a worker or child process goes: where the parent's goes, nowhere, into a file, or into a pipe, from which
/// the parent reads it. Reading to the end of a pipe returns when all who could write there are gone. This value is one of them, and so is
/// a builder that has it: drop it first.
///
/// ```
/// use std::io::Read;
///
/// #[mp::task]
/// fn greet() {
///     println!("hello");
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     mp::main!();
///     let (mut said, pipe) = std::io::pipe()?;
///     let process = mp::Process::new(greet, ()).stdout(pipe).start()?; // the builder is gone, and the pipe in it
///     let mut text = String::new();
///     said.read_to_string(&mut text)?; // while it runs: a full pipe would hold it up
///     process.join()?;
///     assert_eq!(text, "hello\n");
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Output {
    /// To the same place as the parent's.
    #[default]
    Inherit,
    /// Nowhere.
    Null,
    /// To this file, pipe or socket.
    To(Arc<Handle>),
}

impl From<File> for Output {
    fn from(file: File) -> Self {
        Self::To(Arc::new(file.into()))
    }
}

impl From<PipeWriter> for Output {
    fn from(pipe: PipeWriter) -> Self {
        Self::To(Arc::new(pipe.into()))
    }
}

impl Output {
    /// For one child.
    pub(crate) fn stdio(&self) -> io::Result<Stdio> {
        Ok(match self {
            Self::Inherit => Stdio::inherit(),
            Self::Null => Stdio::from(sys::pipe::null()?),
            Self::To(handle) => Stdio::from(handle.try_clone()?),
        })
    }

    /// The same for a child that is a copy of a process; `inherited` is where ours goes.
    pub(crate) fn handle(&self, inherited: impl FnOnce() -> Option<Handle>) -> io::Result<Option<Handle>> {
        Ok(match self {
            Self::Inherit => inherited(),
            Self::Null => Some(sys::pipe::null()?),
            Self::To(handle) => Some(handle.try_clone()?),
        })
    }
}
