//! The processes of the system.

#![allow(unsafe_code)] // entries of the kernel's table

use super::descendants::Seen;
use super::sysctl;
use rustix::process::Pid;

/// All that live.
pub fn living() -> Vec<Seen> {
    entries(&[libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_PROC]).iter().filter_map(seen).collect()
}

/// The process `pid`, unless it is dead.
pub fn look(pid: Pid) -> Option<Seen> {
    seen(&entry(pid)?)
}

/// What the kernel says of a process.
pub fn entry(pid: Pid) -> Option<libc::kinfo_proc> {
    let name = [libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_PID, Pid::as_raw(Some(pid))];
    entries(&name).first().copied()
}

fn seen(entry: &libc::kinfo_proc) -> Option<Seen> {
    // In microseconds.
    let started = entry.ki_start.tv_sec.cast_unsigned() * 1_000_000 + entry.ki_start.tv_usec.cast_unsigned();
    let stopped = entry.ki_stat == libc::SSTOP;
    let is_dead = entry.ki_stat == libc::SZOMB;
    let pid = Pid::from_raw(entry.ki_pid).filter(|_| !is_dead)?;
    Some(Seen { pid, parent: entry.ki_ppid, started, stopped })
}

fn entries(name: &[libc::c_int]) -> Vec<libc::kinfo_proc> {
    const LEN: usize = size_of::<libc::kinfo_proc>();
    let bytes = sysctl::bytes(name).unwrap_or_default();
    let entries = bytes.chunks_exact(LEN).map(|entry| {
        // SAFETY: duty: in bounds: so many bytes; any alignment will do; all bits are valid: integers and pointers that
        // nobody follows.
        unsafe { entry.as_ptr().cast::<libc::kinfo_proc>().read_unaligned() }
    });
    // Each says how long it is: another kernel may have longer ones, of which we understand nothing.
    entries.take_while(|entry| usize::try_from(entry.ki_structsize) == Ok(LEN)).collect()
}
