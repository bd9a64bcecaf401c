//! What a child does to itself first, before it serves.

#![allow(unsafe_code)] // the command line and the standard handles: both belong to the whole process

use super::call::{checked, owned, wide};
use super::exit::exit_now;
use super::socket::Socket;
use super::{duplicate, family};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::os::windows::io::{AsHandle as _, IntoRawHandle as _};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use windows_sys::Win32::System::Console::{
    CTRL_C_EVENT, GetStdHandle, STD_INPUT_HANDLE, SetConsoleCtrlHandler, SetStdHandle,
};
use windows_sys::Win32::System::Diagnostics::Debug::{
    SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX, SetErrorMode,
};
use windows_sys::Win32::System::Environment::GetCommandLineW;
use windows_sys::Win32::System::Threading::{GetCurrentThread, SetThreadDescription};
use windows_sys::core::BOOL;

/// Whether the parent has let go of this process.
static IS_DETACHED: AtomicBool = AtomicBool::new(false);

/// Whether this process was started with `marker` as its last argument. Works before `main`.
pub fn is_worker(marker: &str) -> bool {
    let mut args = std::env::args_os().rev();
    let is_worker = args.next().is_some_and(|last| last == OsStr::new(marker));
    if is_worker && let Some(word) = args.next() {
        family::enter(&word.to_string_lossy());
    }
    is_worker
}

/// Takes the marker, and the word about our family before it, off the command line, so that `std::env::args()` does not
/// show them; whether they were there.
///
/// Call it while this process has one thread.
#[allow(clippy::unnecessary_wraps)] // the signature is that of systems where it can fail
pub fn hide_marker(marker: &str) -> io::Result<bool> {
    let Some(word) = std::env::args_os().rev().nth(1) else { return Ok(false) };
    let hidden: Vec<u16> = [OsStr::new(" "), &word, OsStr::new(" "), OsStr::new(marker)]
        .iter()
        .flat_map(|part| part.encode_wide())
        .collect();
    // SAFETY: duty: in bounds: the system ends its line with a zero, and nobody changes it at this moment: `entry` is called
    // before threads exist. Duty: writable: it lies in the block of this process's parameters, which is its own.
    unsafe {
        let start = GetCommandLineW().cast_mut();
        let mut len = 0;
        while *start.add(len) != 0 {
            len += 1;
        }
        let line = std::slice::from_raw_parts_mut(start, len);
        if !line.ends_with(&hidden) {
            return Ok(false);
        }
        line[len - hidden.len()] = 0;
    }
    Ok(true)
}

/// Moves the control channel away from standard input, where the null device takes its place.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] when standard input is no such channel: somebody started the worker by hand.
pub fn take_channel() -> io::Result<Socket> {
    let by_hand = |_| io::Error::new(io::ErrorKind::InvalidInput, "standard input is not a control channel");
    let parent = family::parent().map_err(by_hand)?;
    // SAFETY: duty: none, the call takes a number. Duty of `owned`: whoever started us gave it to us, and nobody else has read
    // it before.
    let channel = unsafe { owned(GetStdHandle(STD_INPUT_HANDLE)) }.map_err(by_hand)?;
    // One that nobody inherits.
    let channel = duplicate(channel.as_handle())?;
    let null = File::open("NUL")?;
    // SAFETY: duty: an open handle, for ever: it is given away on this line.
    checked(unsafe { SetStdHandle(STD_INPUT_HANDLE, null.into_raw_handle()) })?;
    // A crash ends this process: nobody is there to click a box away.
    // SAFETY: duty: none, the call takes a number.
    unsafe { SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX) };
    Ok(Socket::connected(channel, parent.duplicate()?))
}

/// Makes Ctrl-C do nothing here: the parent decides what it means. Ctrl-Break keeps its meaning.
///
/// A worker is started with Ctrl-C off, as the first of a group of its own; programs that it starts would inherit that. So it
/// is on again here, with a handler that does nothing.
pub fn ignore_interrupt() -> io::Result<()> {
    // SAFETY: duty: a handler of the right form that lives for ever: a function.
    unsafe {
        checked(SetConsoleCtrlHandler(Some(nothing_on_interrupt), 1))?;
        checked(SetConsoleCtrlHandler(None, 0))
    }
}

/// The same: what somebody sends who means this process is Ctrl-Break, and that ends it.
pub fn heed_interrupt() -> io::Result<()> {
    ignore_interrupt()
}

extern "system" fn nothing_on_interrupt(kind: u32) -> BOOL {
    (kind == CTRL_C_EVENT).into()
}

/// Nothing to do: writing to a closed pipe is an error here, never a signal.
#[allow(clippy::unnecessary_wraps)] // the signature is that of systems where there is
pub fn ignore_sigpipe() -> io::Result<()> {
    Ok(())
}

/// Nothing to do: a console has no background.
#[allow(clippy::unnecessary_wraps)] // the signature is that of systems where there is
pub fn go_on_in_background() -> io::Result<()> {
    Ok(())
}

/// Nothing to do: the job object ends a child whose parent is gone.
#[allow(clippy::unnecessary_wraps)] // the signature is that of systems where there is
pub fn die_with_parent() -> io::Result<()> {
    Ok(())
}

/// Never: the job object ends a child whose parent is gone.
pub fn is_left_alone(_: &Socket) -> bool {
    false
}

/// Nothing to do: the job object ends any child.
#[allow(clippy::unnecessary_wraps)] // the signature is that of systems where there is
pub fn end_with_parent(_: u32) -> io::Result<()> {
    Ok(())
}

/// Nothing to do: the job object needs no thread of ours.
#[allow(clippy::unnecessary_wraps)] // the signature is that of systems where there is
pub fn heed_parents_death(_: u32) -> io::Result<()> {
    Ok(())
}

/// What shows that the parent is gone: what it has sent for it.
pub fn watch_parent(sent: super::Handle, _: u32) -> super::Handle {
    sent
}

/// This process goes on without its parent.
pub fn outlive_parent() {
    IS_DETACHED.store(true, Relaxed);
}

/// Whether the parent is gone.
pub fn is_orphaned() -> bool {
    !IS_DETACHED.load(Relaxed) && family::parent().is_ok_and(|parent| !parent.is_alive())
}

/// Nothing to do: the job object ends all threads at once.
pub fn hold_other_threads(_: usize) {}

/// Nothing to do: the job object ends descendants too.
pub fn kill_descendants() {}

/// Ends this process. The parent's job, whose only handle is closed, ends what it started; our jobs end with us.
pub fn kill_own_group_and_exit() -> ! {
    exit_now(1)
}

/// Names this thread for debuggers.
pub fn set_name(name: &str) -> io::Result<()> {
    // SAFETY: duty: a valid pointer: the name ends in NUL; the pseudo handle of this thread.
    let result = unsafe { SetThreadDescription(GetCurrentThread(), wide(name).as_ptr()) };
    if result < 0 { Err(io::Error::from_raw_os_error(result)) } else { Ok(()) }
}
