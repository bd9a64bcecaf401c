//! Where a child's stdout and stderr go.

use crate::sys::process::Stdio;
use crate::sys::{self, Handle};
use std::fs::File;
use std::io::{self, PipeWriter};
use std::sync::Arc;

/// Where the stdout or stderr of a worker or child process goes.
///
/// ```
/// let log = std::env::temp_dir().join("mp-doc-output.log");
/// let output = mp::Output::from(std::fs::File::create(&log)?);
/// assert!(matches!(output, mp::Output::To(_)));
/// # std::fs::remove_file(log)?;
/// # Ok::<(), std::io::Error>(())
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
