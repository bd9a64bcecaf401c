//! The processes of the system.

#![allow(unsafe_code)] // proc_listallpids

use super::descendants::Seen;
use super::info;
use rustix::process::Pid;

/// All that live and that we may look at.
pub fn living() -> Vec<Seen> {
    // SAFETY: duty: null asks for the count only.
    let count = unsafe { libc::proc_listallpids(std::ptr::null_mut(), 0) };
    // Some may be started meanwhile.
    let mut pids = vec![0 as libc::pid_t; usize::try_from(count).unwrap_or(0) + 100];
    let bytes = libc::c_int::try_from(size_of_val(pids.as_slice())).unwrap_or(libc::c_int::MAX);
    // SAFETY: duty: a valid pointer to so many bytes: a live vector.
    let count = unsafe { libc::proc_listallpids(pids.as_mut_ptr().cast(), bytes) };
    pids.truncate(usize::try_from(count).unwrap_or(0));
    pids.into_iter().filter_map(Pid::from_raw).filter_map(look).collect()
}

/// The process `pid`, unless it is dead.
pub fn look(pid: Pid) -> Option<Seen> {
    let found: libc::proc_bsdinfo = info::of(Pid::as_raw(Some(pid)), libc::PROC_PIDTBSDINFO, 0).ok()?;
    // In microseconds.
    let started = found.pbi_start_tvsec * 1_000_000 + found.pbi_start_tvusec;
    let stopped = found.pbi_status == libc::SSTOP;
    let parent = found.pbi_ppid.cast_signed();
    (found.pbi_status != libc::SZOMB).then_some(Seen { pid, parent, started, stopped })
}
