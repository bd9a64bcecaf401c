//! How a process ended.

use std::fmt;
use windows_sys::Win32::Foundation::{
    STATUS_ACCESS_VIOLATION, STATUS_CONTROL_C_EXIT, STATUS_HEAP_CORRUPTION, STATUS_ILLEGAL_INSTRUCTION,
    STATUS_IN_PAGE_ERROR, STATUS_INTEGER_DIVIDE_BY_ZERO, STATUS_STACK_BUFFER_OVERRUN, STATUS_STACK_OVERFLOW,
};

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Status {
    /// It ended with this code; one that crashed, with that of its exception.
    Code(i32),
    /// This signal ended it: never here.
    Signal(i32),
}

/// A process that was, and what it used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// How it ended.
    pub status: Status,
    /// The most memory it had in use at once, in bytes.
    pub peak_rss: Option<u64>,
}

impl Status {
    /// Whether the process left by itself, with a code: it neither crashed nor was ended by somebody.
    pub fn is_exit(self) -> bool {
        matches!(self, Self::Code(code) if code >= 0 && code != TERMINATED.cast_signed())
    }

    /// Whether the process gave up by itself: `abort`.
    pub fn is_abort(self) -> bool {
        self == Self::Code(STATUS_STACK_BUFFER_OVERRUN) || self == Self::Code(ABORT_OF_C)
    }
}

/// What `abort` of the C library ends with.
const ABORT_OF_C: i32 = 3;

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => match NAMES.iter().find(|(known, _)| known == code) {
                Some((_, name)) => write!(f, "exit code {code:#x} ({name})"),
                // Codes of the system have the highest bit set and are known in hexadecimal.
                None if *code < 0 => write!(f, "exit code {code:#x}"),
                None => write!(f, "exit code {code}"),
            },
            Self::Signal(number) => write!(f, "signal {number} ({})", signal_name(*number)),
        }
    }
}

const NAMES: [(i32, &str); 9] = [
    (TERMINATED.cast_signed(), "terminated"),
    (STATUS_ACCESS_VIOLATION, "access violation"),
    (STATUS_IN_PAGE_ERROR, "page error"),
    (STATUS_ILLEGAL_INSTRUCTION, "illegal instruction"),
    (STATUS_INTEGER_DIVIDE_BY_ZERO, "division by zero"),
    (STATUS_STACK_OVERFLOW, "stack overflow"),
    // `abort` in Rust asks the system to end the process as if a buffer had been overrun.
    (STATUS_STACK_BUFFER_OVERRUN, "abort"),
    (STATUS_CONTROL_C_EXIT, "Ctrl-C"),
    (STATUS_HEAP_CORRUPTION, "heap corruption"),
];

/// The exit code of a process that was ended by [`Signal::Terminate`] or [`Signal::Kill`]: what Python's is.
///
/// [`Signal::Terminate`]: super::process::Signal::Terminate
/// [`Signal::Kill`]: super::process::Signal::Kill
pub const TERMINATED: u32 = 0x10000;

/// The name of a signal: there are none.
pub fn signal_name(_: i32) -> &'static str {
    "an unnamed signal"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_ended_has_not_left() {
        assert!(Status::Code(0).is_exit() && Status::Code(101).is_exit());
        assert!(!Status::Code(TERMINATED.cast_signed()).is_exit());
        assert!(!Status::Code(STATUS_ACCESS_VIOLATION).is_exit() && !Status::Signal(9).is_exit());
    }

    #[test]
    fn codes_of_the_system_have_names() {
        assert_eq!(Status::Code(7).to_string(), "exit code 7");
        assert_eq!(
            Status::Code(STATUS_ACCESS_VIOLATION).to_string(),
            "exit code 0xc0000005 (access violation)"
        );
        assert_eq!(Status::Code(0xc000_1234_u32.cast_signed()).to_string(), "exit code 0xc0001234");
    }
}
