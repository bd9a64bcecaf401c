//! What a child does to itself first, before it serves.

#![allow(unsafe_code)] // signal handlers and descriptor 0: both belong to the whole process

use super::disposition;
use super::pipe;
use super::platform::arguments;
use super::platform::socket_flags::maker_of;
use super::socket::Socket;
use rustix::net::{AddressFamily, SocketType, getsockname, sockopt};
use rustix::process::getppid;
use rustix::stdio::{dup2_stdin, stdin};
use std::ffi::OsStr;
use std::io;

pub use super::descendants::{kill_descendants, kill_own_group_and_exit};
pub use super::platform::orphan::{
    die_with_parent, end_with_parent, heed_parents_death, hold_other_threads, is_orphaned, outlive_parent,
    watch_parent,
};
pub use super::platform::thread_name::set_name;

/// Whether this process was started with `marker` as its last argument. Works before `main`.
pub fn is_worker(marker: &str) -> bool {
    arguments::arguments().last().is_some_and(|last| last == OsStr::new(marker))
}

/// Takes the marker off the arguments, so that `std::env::args()` does not show it; whether it was there.
///
/// Call it while this process has one thread.
///
/// # Errors
/// When the arguments are not where the kernel puts them. It does no harm to go on with the marker in sight.
pub fn hide_marker(marker: &str) -> io::Result<bool> {
    arguments::remove_last(OsStr::new(marker))
}

/// Moves the control channel away from descriptor 0, where from then on nothing is to be read.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] when descriptor 0 is no such socket: somebody started the worker by hand.
pub fn take_channel() -> io::Result<Socket> {
    let handle = stdin();
    let is_ours = getsockname(handle).is_ok_and(|name| name.address_family() == AddressFamily::UNIX)
        && sockopt::socket_type(handle).is_ok_and(|kind| kind == SocketType::STREAM);
    if !is_ours {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "standard input is not a control channel"));
    }
    // 3: never a standard stream, even if one of them is closed.
    let channel = rustix::io::fcntl_dupfd_cloexec(handle, 3)?;
    dup2_stdin(pipe::nothing()?)?;
    Ok(Socket::from_handle(channel))
}

/// Whether who made the channel is not our parent any more: it is gone. False where nobody tells who made it.
///
/// The end of a stream does not come while somebody else holds the other end, such as a copy of the parent.
pub fn is_left_alone(channel: &Socket) -> bool {
    let parent = getppid().map_or(0, |pid| pid.as_raw_nonzero().get().cast_unsigned());
    maker_of(channel.handle()).is_some_and(|maker| maker != parent)
}

/// Makes Ctrl-C do nothing here: the parent decides what it means. By a handler that does nothing rather than by
/// `SIG_IGN`, which programs started by tasks would inherit.
///
/// Workers live in a process group of their own, so a terminal's Ctrl-C, Ctrl-\ and Ctrl-Z do not reach them; this is
/// for those who send SIGINT to everybody. SIGQUIT keeps its meaning: it is how people get the core of a stuck process.
pub fn ignore_interrupt() -> io::Result<()> {
    // SAFETY: duty: an async-signal-safe handler: it has no body.
    unsafe { disposition::handle(libc::SIGINT, nothing)? };
    disposition::unblock(libc::SIGINT)
}

/// Makes Ctrl-C end this process, also if the parent was started with it ignored (in the background of a script), or has it
/// blocked: it does not come from a terminal here, but from somebody who means this process. One that came to a copy before is heeded
/// here.
pub fn heed_interrupt() -> io::Result<()> {
    disposition::set_default(libc::SIGINT)?;
    disposition::unblock(libc::SIGINT)
}

/// Turns writing to a closed pipe into an error instead of a signal: std does the same, but only right before `main`.
pub fn ignore_sigpipe() -> io::Result<()> {
    disposition::ignore(libc::SIGPIPE)
}

/// Has this process, which is in the background of its terminal, go on where the system would have it stand still until somebody
/// brings it to the foreground, which nobody can: to write there, or to change its settings, works, and to read from it is an
/// error. The programs that this one starts inherit it. What somebody has chosen before stays.
pub fn go_on_in_background() -> io::Result<()> {
    for signal in [libc::SIGTTIN, libc::SIGTTOU] {
        if disposition::query(signal)?.sa_sigaction == libc::SIG_DFL {
            disposition::ignore(signal)?;
        }
    }
    Ok(())
}

extern "C" fn nothing(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}
