//! Copies of this process.
//!
//! ```text
//!  sibling   a process with one thread is copied into a further child of its parent: the parent reaps it
//!  child     a process with any number of threads is copied into a child of its own
//!            └─► in the copy: libc's books are put right, what this crate knew of the process is forgotten
//! ```
//!
//! libc's own `fork` cannot make a sibling, so `sibling` asks the kernel and then does in the copy what `fork` would have
//! done: libc keeps the number of each thread for its locks, and the kernel the list of the robust locks of each thread.

#![allow(unsafe_code)] // fork, clone, and libc's notes on a thread

use super::super::copies;
use super::super::disposition::Held;
use super::super::errno::no_process_made;
use super::super::life;
use super::super::pipe;
use super::notes::LibcNotes;
use super::orphan;
use crate::sys::interrupt;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::super::Handle;

pub use crate::sys::promise::{Copied, Fork};

/// How many threads this process has.
pub fn threads() -> io::Result<u64> {
    // A directory has a link for itself, one from above, and one from each directory in it: here, one for each thread.
    let tasks = std::fs::metadata("/proc/self/task").map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("/proc/self/task, where threads are counted, cannot be read: {error}"),
        )
    })?;
    Ok(tasks.nlink().saturating_sub(2))
}

/// Copies this process; the copy is a child of our parent, which learns of its end as of ours.
///
/// # Errors
/// When this process has more than one thread: the copy would have one, and all the locks that the others hold. When the
/// kernel or this C library does not let itself be asked.
pub fn sibling() -> io::Result<Copied> {
    let threads = threads()?;
    if threads != 1 {
        return Err(io::Error::other(format!(
            "it has {threads} threads, and only one of them would be copied"
        )));
    }
    let notes = LibcNotes::of_this_thread()?;
    flush();
    let held = Held::hold(libc::SIGINT)?;
    let flags = libc::c_long::from(libc::CLONE_PARENT | libc::CLONE_CHILD_SETTID | libc::SIGCHLD);
    let none = std::ptr::null_mut::<libc::c_int>();
    // SAFETY: duty: a copy in which all that holds for us holds too: without CLONE_VM it has memory of its own, and it has
    // all threads of this process: there is one. The kernel writes the copy's number where libc keeps it, which
    // `of_this_thread` has found.
    let result = unsafe {
        if cfg!(target_arch = "x86_64") {
            libc::syscall(libc::SYS_clone, flags, none, none, notes.number, none)
        } else if cfg!(target_arch = "s390x") {
            libc::syscall(libc::SYS_clone, none, flags, none, notes.number, none)
        } else {
            libc::syscall(libc::SYS_clone, flags, none, none, none, notes.number)
        }
    };
    match result {
        0 => {
            notes.renew();
            begin(held);
            Ok(Copied::Copy)
        }
        number => u32::try_from(number)
            .map(Copied::Original)
            .map_err(|_| no_process_made(io::Error::last_os_error())),
    }
}

/// Copies this process; the copy is a child of ours.
pub fn child(_: Fork) -> io::Result<Copied> {
    flush();
    let held = Held::hold(libc::SIGINT)?;
    // SAFETY: duty: a copy can live with what it finds: whoever made the `Fork`, by its contract.
    match unsafe { libc::fork() } {
        -1 => Err(no_process_made(io::Error::last_os_error())),
        0 => {
            begin(held);
            Ok(Copied::Copy)
        }
        number => Ok(Copied::Original(number.cast_unsigned())),
    }
}

/// What a copy does first: what it knew of itself was its original's. An interrupt waits until the copy says what it does to it: so
/// far it would do what it does to the original, which for a fork server is nothing.
fn begin(interrupt: Held) {
    std::mem::forget(interrupt);
    // Nobody else can be the leader of a group with our number, so this cannot fail.
    let _ = rustix::process::setpgid(None, None);
    copies::note();
    orphan::forget();
    life::forget();
    interrupt::forget();
}

/// Writes out what is buffered: the copy would write it once more.
fn flush() {
    let _ = io::stdout().flush();
    // SAFETY: duty: none: null means all streams.
    unsafe { libc::fflush(std::ptr::null_mut()) };
}

/// Makes the surroundings of this process, which has one thread, those that somebody has chosen for it. A stream that is
/// `None` is closed for the one who chose: it becomes the null device.
pub fn take_place(
    stdout: Option<Handle>,
    stderr: Option<Handle>,
    env: &[(OsString, Option<OsString>)],
    current_dir: Option<&Path>,
) -> io::Result<()> {
    let stream = |given: Option<Handle>| given.map_or_else(pipe::null, Ok);
    rustix::stdio::dup2_stdin(pipe::nothing()?)?;
    rustix::stdio::dup2_stdout(stream(stdout)?)?;
    rustix::stdio::dup2_stderr(stream(stderr)?)?;
    for (name, value) in env {
        // SAFETY: duty: nobody else reads or writes the environment: this process has one thread, by the contract of a
        // copy.
        unsafe {
            match value {
                Some(value) => std::env::set_var(name, value),
                None => std::env::remove_var(name),
            }
        }
    }
    current_dir.map_or(Ok(()), std::env::set_current_dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_several_threads_is_counted_and_makes_no_sibling() {
        let (done, until_done) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || until_done.recv());
        assert!(threads().expect("/proc is mounted") > 1);
        let refused = sibling().expect_err("the copy would have one thread");
        assert!(refused.to_string().contains("threads, and only one of them"), "{refused}");
        drop(done);
        let _ = other.join();
    }
}
