//! What a system says that has not all that is asked of it.

use rustix::io::Errno;
use std::io;

/// The same error, with the name of the call if it is one that is missing or forbidden.
pub(super) fn refused(call: &'static str) -> impl FnOnce(Errno) -> io::Error {
    move |errno| match errno {
        Errno::NOSYS | Errno::PERM => io::Error::new(
            errno.kind(),
            format!(
                "`{call}` is missing in this kernel, or forbidden by the seccomp filter of a sandbox or container: {errno}"
            ),
        ),
        _ => errno.into(),
    }
}
