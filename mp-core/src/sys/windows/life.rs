//! Whether a process lives, also one that is no child of ours.

#![allow(unsafe_code)] // OpenProcess, GetProcessTimes, GetThreadTimes

use super::call::{number, owned, wait_for};
use super::{BorrowedHandle, Handle, borrow};
use std::io;
use std::sync::OnceLock;
use std::time::Duration;
use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::Threading::{
    GetProcessTimes, GetThreadTimes, OpenProcess, PROCESS_ACCESS_RIGHTS, PROCESS_QUERY_LIMITED_INFORMATION,
    PROCESS_SYNCHRONIZE,
};

/// One life of a process: its number, and the time it was started, so that the number's next owner is another one. Not
/// zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life(pub u64);

/// This process; `None` if the system does not tell.
pub fn this_life() -> Option<Life> {
    static LIFE: OnceLock<Option<Life>> = OnceLock::new();
    *LIFE.get_or_init(|| look(std::process::id()))
}

/// Whether the process lives.
pub fn is_alive(life: Life) -> bool {
    look((life.0 >> 32) as u32) == Some(life)
}

/// The process with this number.
pub(super) fn open(pid: u32, rights: PROCESS_ACCESS_RIGHTS) -> io::Result<Handle> {
    // SAFETY: duty of `owned`: it was made just now.
    unsafe { owned(OpenProcess(rights, 0, pid)) }
}

/// When a process or a thread was started, in units of 100 ns.
pub(super) fn started(handle: BorrowedHandle<'_>, is_thread: bool) -> Option<u64> {
    let mut times = [FILETIME::default(); 4];
    let [start, end, kernel, user] = &mut times;
    let look = if is_thread { GetThreadTimes } else { GetProcessTimes };
    // SAFETY: duty: valid pointers: live locals; an open handle: the borrow keeps it so.
    let done = unsafe { look(number(handle), start, end, kernel, user) };
    (done != 0).then_some(u64::from(start.dwHighDateTime) << 32 | u64::from(start.dwLowDateTime))
}

fn look(pid: u32) -> Option<Life> {
    let process = open(pid, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE).ok()?;
    let started = started(borrow(&process), false)?;
    let is_dead = wait_for(borrow(&process), Some(Duration::ZERO));
    // In milliseconds; the low half of them tells one start of a number from the next.
    let life = u64::from(pid) << 32 | (started / 10_000) & u64::from(u32::MAX);
    (!is_dead).then_some(Life(life))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_another_start_of_its_number_does_not() {
        let life = this_life().expect("the system tells");
        assert!(is_alive(life));
        assert!(!is_alive(Life(life.0 ^ 1)));
    }
}
