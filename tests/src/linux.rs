//! What a process has and does, as Linux tells.

use crate::Signal;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::ops::Range;
use std::os::unix::ffi::OsStringExt;
use std::process::Command;
use std::{fs, io};

/// How many descriptors this process has open.
pub fn descriptors() -> usize {
    count("/proc/self/fd")
}

/// How many threads this process has. (Their directory does not say: its listing stops short where a thread ends meanwhile.)
pub fn threads() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:"));
    threads.and_then(|threads| threads.trim().parse().ok()).unwrap_or(0)
}

/// How many pieces of shared memory this process has mapped.
pub fn mappings() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    maps.lines().filter(|line| line.contains("memfd:")).count()
}

/// Where this process can write to memory that it shares with others.
#[must_use]
pub fn shared_memory() -> Vec<Range<usize>> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let ours = maps.lines().filter(|line| line.contains(" rw-s ") && line.contains("memfd:"));
    let range = |line: &str| {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
    };
    ours.filter_map(range).collect()
}

/// The names in shared memory that the library or a test gives; other programs have others.
pub fn names() -> BTreeSet<String> {
    let entries = fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("mp-")).collect()
}

/// The children of a process that are not zombies.
#[must_use]
pub fn living_children(parent: u32) -> BTreeSet<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|&pid| matches!(state_and_parent(pid), Some((state, of)) if state != 'Z' && of == parent))
        .collect()
}

/// Whether a process lives: a zombie does not.
#[must_use]
pub fn lives(pid: u32) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
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
/// Without `/proc`.
#[must_use]
pub fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("/proc is mounted") * 4096
}

/// In the environment of everybody in a family.
const MARKER: &str = "MP_TESTS_FAMILY";

/// A program that carries a mark, as all do that come from it.
#[must_use]
pub fn marked(program: &str, mark: &str) -> Command {
    let mut command = Command::new(program);
    command.env(MARKER, mark);
    command
}

/// The living processes with this mark.
#[must_use]
pub fn family(mark: &str) -> BTreeSet<u32> {
    let wanted = format!("{MARKER}={mark}");
    let is_ours = |pid: &u32| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_ours).filter(|pid| lives(*pid)).collect()
}

/// The number of this thread.
#[must_use]
pub fn this_thread() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned()
}

/// Whether a thread sleeps, of whichever process.
#[must_use]
pub fn is_asleep(thread: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{thread}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('S'))
}

/// Whether a process is using its processor.
#[must_use]
pub fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let ticks =
        stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(11)?.parse::<u64>().ok());
    ticks.unwrap_or(0) > 3
}

/// Whether an emulator runs this program (qemu-user). It shows itself as the program where it does not expect the question.
#[must_use]
pub fn is_emulated() -> bool {
    fs::read_link("/proc/thread-self/exe").ok() != std::env::current_exe().ok()
}

/// A name that is no text.
#[must_use]
pub fn no_text() -> OsString {
    OsString::from_vec(vec![b'a', 0xff])
}

/// Where each thread of this process sleeps, as far as the kernel tells.
pub fn where_threads_are() -> String {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lines = tasks.map(|task| {
        let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        format!(
            "  thread {}: {} {}",
            task.file_name().to_string_lossy(),
            read("comm").trim(),
            read("wchan").trim()
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn count(path: &str) -> usize {
    fs::read_dir(path).map_or(0, Iterator::count)
}

fn state_and_parent(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
