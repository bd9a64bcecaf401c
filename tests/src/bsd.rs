//! What a process has and does, as macOS and FreeBSD tell: by `ps`, which both have.

use crate::Signal;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::process::Command;

/// Descriptors above this are not looked for.
const DESCRIPTORS_MAX: i32 = 4096;

/// How many descriptors this process has open.
pub fn descriptors() -> usize {
    // SAFETY: the call takes numbers, and only asks.
    (0..DESCRIPTORS_MAX).filter(|&number| unsafe { libc::fcntl(number, libc::F_GETFD) } != -1).count()
}

/// How many threads this process has.
pub fn threads() -> usize {
    let of = std::process::id().to_string();
    if cfg!(target_os = "macos") {
        // One line for each, below a headline.
        ps(&["-M", "-p", &of]).lines().count().saturating_sub(1)
    } else {
        ps(&["-o", "nlwp=", "-p", &of]).trim().parse().unwrap_or(0)
    }
}

/// How many pieces of shared memory this process has mapped: nobody tells.
pub fn mappings() -> usize {
    0
}

/// The names in shared memory: nobody lists them.
pub fn names() -> BTreeSet<String> {
    BTreeSet::new()
}

/// The children of a process that are not zombies.
#[must_use]
pub fn living_children(parent: u32) -> BTreeSet<u32> {
    processes().into_iter().filter(|one| one.parent == parent && one.lives()).map(|one| one.pid).collect()
}

/// Whether a process lives: a zombie does not.
#[must_use]
pub fn lives(pid: u32) -> bool {
    processes().iter().any(|one| one.pid == pid && one.lives())
}

/// Sends a signal to a process.
///
/// # Errors
/// When there is none with this number.
pub fn send(pid: u32, signal: Signal) -> io::Result<()> {
    crate::signals::send(pid, signal)
}

/// How much memory of this process is in use, in bytes.
///
/// # Panics
/// Without `ps`.
#[must_use]
pub fn resident() -> u64 {
    let text = ps(&["-o", "rss=", "-p", &std::process::id().to_string()]);
    text.trim().parse::<u64>().expect("ps tells") * 1024
}

/// A program that carries a mark, as all do that come from it.
#[must_use]
pub fn marked(program: &str, mark: &str) -> Command {
    let mut command = Command::new(program);
    command.env(MARKER, mark);
    command
}

/// In the environment of everybody in a family.
const MARKER: &str = "MP_TESTS_FAMILY";

/// The living processes with this mark.
#[must_use]
pub fn family(mark: &str) -> BTreeSet<u32> {
    let wanted = format!("{MARKER}={mark}");
    let with_environment = if cfg!(target_os = "macos") { "-axwwE" } else { "-axwwe" };
    let text = ps(&[with_environment, "-o", "pid=,command="]);
    let marked = text.lines().filter(|line| line.split_whitespace().any(|word| word == wanted));
    let pids = marked.filter_map(|line| line.split_whitespace().next()?.parse().ok());
    pids.filter(|pid| lives(*pid)).collect()
}

/// The number of this thread.
#[cfg(target_os = "macos")]
#[must_use]
pub fn this_thread() -> u32 {
    let mut thread = 0;
    // SAFETY: a valid pointer: a live local; 0 stands for this thread.
    unsafe { libc::pthread_threadid_np(0 as libc::pthread_t, &raw mut thread) };
    thread as u32
}

/// The number of this thread.
#[cfg(not(target_os = "macos"))]
#[must_use]
pub fn this_thread() -> u32 {
    // SAFETY: the call takes nothing.
    unsafe { libc::pthread_getthreadid_np() }.cast_unsigned()
}

/// Whether a thread sleeps, of whichever process.
#[cfg(target_os = "macos")]
#[must_use]
pub fn is_asleep(thread: u32) -> bool {
    /// `PROC_PIDTHREADID64INFO` and `TH_STATE_WAITING` of the system's headers.
    const BY_ID: i32 = 15;
    const WAITING: i32 = 3;
    processes().iter().any(|one| {
        let mut found = std::mem::MaybeUninit::<libc::proc_threadinfo>::zeroed();
        let len = const { size_of::<libc::proc_threadinfo>() as u32 }.cast_signed();
        // SAFETY: a valid pointer to so many bytes: a live local; all bits are valid.
        unsafe {
            let pid = one.pid.cast_signed();
            libc::proc_pidinfo(pid, BY_ID, thread.into(), found.as_mut_ptr().cast(), len) == len
                && found.assume_init().pth_run_state == WAITING
        }
    })
}

/// Whether a thread sleeps, of whichever process.
#[cfg(not(target_os = "macos"))]
#[must_use]
pub fn is_asleep(thread: u32) -> bool {
    ps(&["-axHo", "lwp=,state="]).lines().any(|line| {
        let mut fields = line.split_whitespace();
        let is_it = fields.next().and_then(|lwp| lwp.parse().ok()) == Some(thread);
        is_it && fields.next().is_some_and(|state| state.starts_with(['S', 'I']))
    })
}

/// Whether a process is using its processor.
#[must_use]
pub fn runs(pid: u32) -> bool {
    // Minutes, seconds and hundredths of them.
    let text = ps(&["-o", "time=", "-p", &pid.to_string()]);
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse::<u64>().unwrap_or(0) > 3
}

/// Whether an emulator runs this program.
#[must_use]
pub fn is_emulated() -> bool {
    false
}

/// A name that is no text.
#[must_use]
pub fn no_text() -> OsString {
    OsString::from_vec(vec![b'a', 0xff])
}

/// What each thread of this process does, as far as the system tells.
pub fn where_threads_are() -> String {
    let of = std::process::id().to_string();
    if cfg!(target_os = "macos") {
        ps(&["-M", "-p", &of])
    } else {
        ps(&["-Ho", "lwp,state,wchan", "-p", &of])
    }
}

struct Process {
    pid: u32,
    parent: u32,
    state: String,
}

impl Process {
    fn lives(&self) -> bool {
        !self.state.starts_with('Z')
    }
}

fn processes() -> Vec<Process> {
    let text = ps(&["-axo", "pid=,ppid=,state="]);
    let parse = |line: &str| {
        let mut fields = line.split_whitespace();
        let mut number = || fields.next()?.parse().ok();
        let (pid, parent) = (number()?, number()?);
        Some(Process { pid, parent, state: fields.next()?.to_owned() })
    };
    text.lines().filter_map(parse).collect()
}

fn ps(arguments: &[&str]) -> String {
    let output = Command::new("ps").args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}
