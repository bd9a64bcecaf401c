//! What is the same on every Unix.

use crate::Signal;
use std::io;
use std::process::Command;

/// Sends a signal to a process.
///
/// # Errors
/// When there is none with this number.
pub fn send(pid: u32, signal: Signal) -> io::Result<()> {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).ok_or(io::ErrorKind::InvalidInput)?;
    let signal = match signal {
        Signal::Kill => rustix::process::Signal::KILL,
        Signal::Terminate => rustix::process::Signal::TERM,
        Signal::Segfault => rustix::process::Signal::SEGV,
        Signal::Abort => rustix::process::Signal::ABORT,
        Signal::User => rustix::process::Signal::USR1,
        Signal::Stop => rustix::process::Signal::STOP,
        Signal::Continue => rustix::process::Signal::CONT,
    };
    Ok(rustix::process::kill_process(pid, signal)?)
}

/// A program that does nothing for a long time.
#[must_use]
pub fn sleeper() -> Command {
    let mut command = Command::new("sleep");
    command.arg("1000");
    command
}

/// Has what `command` starts be in a process group of its own.
pub fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

/// Has this process get no more memory than so many bytes.
///
/// # Panics
/// When the system does not let us.
pub fn limit_memory(bytes: u64) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::As, Rlimit { current: Some(bytes), maximum: Some(bytes) }).expect("less than before");
}

/// Whether a process ended as by the signal with this name.
#[must_use]
pub fn died_of(status: mp::ExitStatus, name: &str) -> bool {
    status.signal_name() == Some(name)
}

/// Whether this is Wine: never here.
#[must_use]
pub fn is_wine() -> bool {
    false
}
