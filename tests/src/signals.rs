//! What is the same on every Unix.

use crate::Signal;
use rustix::fs::FileType;
use std::io;
use std::os::fd::BorrowedFd;
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

/// Descriptors above this are left alone by what turns on its own process.
const DESCRIPTORS_MAX: i32 = 256;

/// What comes before the bytes of a message of mp's in a socket: nothing.
pub const MESSAGE_HEAD: &[u8] = &[];

/// Writes these bytes into every socket of this process.
pub fn say_to_all(bytes: &[u8]) {
    for number in 3..DESCRIPTORS_MAX {
        // SAFETY: duty: open for the length of the borrow: if it is a socket, it is one that a worker keeps for life; if it is
        // nothing, the system says so.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        let is_socket = rustix::fs::fstat(descriptor)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket);
        if is_socket {
            let _ = rustix::io::write(descriptor, bytes);
        }
    }
}

/// Closes all descriptors of this process but for the standard streams.
pub fn close_everything() {
    for number in 3..DESCRIPTORS_MAX {
        // SAFETY: none is kept: others own these descriptors, which is the point.
        unsafe { libc::close(number) };
    }
}
