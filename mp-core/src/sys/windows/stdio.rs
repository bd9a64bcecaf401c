//! The standard streams of a child. The names are those of `std::process::Stdio`, which does not say what is in it.

use super::Handle;
use super::call::inheritable;
use std::fs::OpenOptions;
use std::io;
use std::os::windows::io::AsHandle;
use windows_sys::Win32::System::Console::STD_HANDLE;

/// Where a stream of a child leads to.
#[derive(Debug)]
pub enum Stdio {
    /// To the same place as ours.
    Inherit,
    /// Nowhere.
    Null,
    /// There.
    To(Handle),
}

impl Stdio {
    /// To the same place as ours.
    pub fn inherit() -> Self {
        Self::Inherit
    }

    /// Nowhere.
    pub fn null() -> Self {
        Self::Null
    }

    /// A handle for a child to inherit; `ours` says which stream of ours it would be. `None` if that is closed.
    pub(super) fn open(self, ours: STD_HANDLE) -> io::Result<Option<Handle>> {
        match self {
            Self::Inherit => super::call::standard(ours).map(inheritable).transpose(),
            Self::Null => {
                let null = OpenOptions::new().read(true).write(true).open("NUL")?;
                inheritable(null.as_handle()).map(Some)
            }
            Self::To(handle) => inheritable(handle.as_handle()).map(Some),
        }
    }
}

impl From<Handle> for Stdio {
    fn from(handle: Handle) -> Self {
        Self::To(handle)
    }
}
