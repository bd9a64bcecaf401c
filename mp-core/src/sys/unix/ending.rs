//! How a process ended.

use std::fmt;

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Status {
    /// It called exit, or returned from main, with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// A process that was, and what it used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// How it ended.
    pub status: Status,
    /// The most memory it had in use at once, in bytes. `None` when nobody can tell: the kernel counts the parent's
    /// memory of the moment of the spawn as the child's (both share it until the exec), so only more than that is
    /// the child's own.
    pub peak_rss: Option<u64>,
}

impl Status {
    /// Whether the process left by itself, with a code.
    pub fn is_exit(self) -> bool {
        matches!(self, Self::Code(_))
    }

    /// Whether the process gave up by itself: `abort`.
    pub fn is_abort(self) -> bool {
        self == Self::Signal(libc::SIGABRT)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => write!(f, "signal {number} ({})", signal_name(*number)),
        }
    }
}

/// The name of a signal, such as `"SIGKILL"`.
pub fn signal_name(number: i32) -> &'static str {
    NAMES.iter().find(|(known, _)| *known == number).map_or("an unnamed signal", |(_, name)| name)
}

const NAMES: [(i32, &str); 29] = [
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGQUIT, "SIGQUIT"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGUSR1, "SIGUSR1"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGUSR2, "SIGUSR2"),
    (libc::SIGPIPE, "SIGPIPE"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGCHLD, "SIGCHLD"),
    (libc::SIGCONT, "SIGCONT"),
    (libc::SIGSTOP, "SIGSTOP"),
    (libc::SIGTSTP, "SIGTSTP"),
    (libc::SIGTTIN, "SIGTTIN"),
    (libc::SIGTTOU, "SIGTTOU"),
    (libc::SIGURG, "SIGURG"),
    (libc::SIGXCPU, "SIGXCPU"),
    (libc::SIGXFSZ, "SIGXFSZ"),
    (libc::SIGVTALRM, "SIGVTALRM"),
    (libc::SIGPROF, "SIGPROF"),
    (libc::SIGWINCH, "SIGWINCH"),
    (libc::SIGIO, "SIGIO"),
    (libc::SIGSYS, "SIGSYS"),
];
