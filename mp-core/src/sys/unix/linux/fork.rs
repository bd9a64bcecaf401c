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

use super::super::life;
use super::super::pipe;
use super::orphan;
use crate::sys::interrupt;
use rustix::thread::gettid;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::super::Handle;

pub use crate::sys::promise::{Copied, Fork};

/// How many threads this process has.
pub fn threads() -> io::Result<u64> {
    // A directory has a link for itself, one from above, and one from each directory in it: here, one for each thread.
    Ok(std::fs::metadata("/proc/self/task")?.nlink().saturating_sub(2))
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
            begin();
            Ok(Copied::Copy)
        }
        number => u32::try_from(number).map(Copied::Original).map_err(|_| io::Error::last_os_error()),
    }
}

/// Copies this process; the copy is a child of ours.
pub fn child(_: Fork) -> io::Result<Copied> {
    flush();
    // SAFETY: duty: a copy can live with what it finds: whoever made the `Fork`, by its contract.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            begin();
            Ok(Copied::Copy)
        }
        number => Ok(Copied::Original(number.cast_unsigned())),
    }
}

/// What a copy does first: what it knew of itself was its original's.
fn begin() {
    // Nobody else can be the leader of a group with our number, so this cannot fail.
    let _ = rustix::process::setpgid(None, None);
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
/// `None` is closed for the one who chose: it becomes the null device, as stdin is.
pub fn take_place(
    stdout: Option<Handle>,
    stderr: Option<Handle>,
    env: &[(OsString, Option<OsString>)],
    current_dir: Option<&Path>,
) -> io::Result<()> {
    let stream = |given: Option<Handle>| given.map_or_else(pipe::null, Ok);
    rustix::stdio::dup2_stdin(pipe::null()?)?;
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

/// What libc and the kernel have noted about a thread.
struct LibcNotes {
    /// Where libc keeps the thread's number.
    number: *mut libc::c_int,
    /// The word that the kernel clears at the thread's end.
    cleared: *mut libc::c_int,
    /// The thread's robust locks.
    robust: (*mut libc::c_void, usize),
}

impl LibcNotes {
    fn of_this_thread() -> io::Result<Self> {
        let mut cleared = 0_u64;
        let mut head = std::ptr::null_mut::<libc::c_void>();
        let mut len = 0_usize;
        // SAFETY: duty: valid pointers: live locals; 8 bytes, as some kernels write as many to a program of 32 bits.
        let found = unsafe {
            libc::prctl(libc::PR_GET_TID_ADDRESS, &raw mut cleared) == 0
                && libc::syscall(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut len) == 0
        };
        let cleared = std::ptr::with_exposed_provenance_mut::<libc::c_int>(cleared as usize);
        let number = if found { number_of_this_thread(cleared) } else { None };
        let unknown = || {
            io::Error::new(
                io::ErrorKind::Unsupported,
                "where its C library keeps a thread's number is unknown",
            )
        };
        Ok(Self { number: number.ok_or_else(unknown)?, cleared, robust: (head, len) })
    }

    /// Has the kernel note the same about the copy's thread.
    fn renew(&self) {
        // SAFETY: duty: the same places that libc had named for the thread that this one is a copy of.
        unsafe {
            libc::syscall(libc::SYS_set_tid_address, self.cleared);
            libc::syscall(libc::SYS_set_robust_list, self.robust.0, self.robust.1);
        }
    }
}

/// Where libc keeps the number of this thread: glibc in the word that the kernel clears at its end, musl among the first
/// words of what it keeps about a thread.
fn number_of_this_thread(cleared: *mut libc::c_int) -> Option<*mut libc::c_int> {
    let ourselves = gettid().as_raw_nonzero().get();
    // SAFETY: duty: none, the call takes nothing.
    let thread =
        std::ptr::with_exposed_provenance_mut::<libc::c_int>(unsafe { libc::pthread_self() } as usize);
    // SAFETY: duty: in bounds and readable: `is_ours` checks each word to lie within what libc keeps about this thread.
    let holds_number = |word: &*mut libc::c_int| unsafe { word.read_volatile() } == ourselves;
    if cfg!(target_env = "gnu") {
        let is_ours = cleared.addr().abs_diff(thread.addr()) < GLIBC_THREAD_BYTES && cleared.is_aligned();
        return Some(cleared).filter(|_| is_ours).filter(holds_number);
    }
    let mut found = (0..MUSL_THREAD_WORDS).map(|index| thread.wrapping_add(index)).filter(holds_number);
    let first = found.next();
    first.filter(|_| found.next().is_none())
}

/// glibc keeps more than this about a thread.
const GLIBC_THREAD_BYTES: usize = 1024;

/// musl keeps more words than this about a thread; the number is the 13th on machines of 64 bits, the 7th on others.
const MUSL_THREAD_WORDS: usize = 24;

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

    #[test]
    fn the_notes_on_a_thread_hold_its_number() {
        if super::super::super::is_emulated() {
            return; // qemu-user does not tell where they are, so that `sibling` is refused
        }
        let check = || {
            let notes = LibcNotes::of_this_thread().expect("known on this C library");
            // SAFETY: duty: readable: `of_this_thread` has read it.
            let number = unsafe { notes.number.read_volatile() };
            assert_eq!(number, gettid().as_raw_nonzero().get());
            notes.number.addr()
        };
        let other = std::thread::spawn(check).join().expect("the same on another thread");
        assert_ne!(check(), other, "each has its own");
    }
}
