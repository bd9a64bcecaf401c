//! What a system says that has not all that is asked of it.

use rustix::io::Errno;
use std::io;

/// The same error, with the name of the call if it is one that is missing or forbidden.
pub(super) fn refused(call: &'static str) -> impl FnOnce(Errno) -> io::Error {
    move |errno| match errno {
        Errno::NOSYS | Errno::PERM => io::Error::new(
            errno.kind(),
            format!(
                "`{call}` is missing in this kernel, unknown to what stands before it (an emulator, valgrind), or forbidden by the \
                 seccomp filter of a sandbox or container: {errno}"
            ),
        ),
        _ => errno.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_call_is_named_with_all_that_may_stand_in_its_way() {
        let said = |errno| refused("pidfd_open")(errno).to_string();
        for errno in [Errno::NOSYS, Errno::PERM] {
            for part in ["`pidfd_open`", "kernel", "valgrind", "seccomp", &errno.to_string()] {
                assert!(said(errno).contains(part), "{part}: {}", said(errno));
            }
        }
        assert!(!said(Errno::MFILE).contains("pidfd_open"));
    }
}
