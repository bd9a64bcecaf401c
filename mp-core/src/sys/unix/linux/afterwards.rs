//! How a child ended that somebody else has reaped: who waits for any child, or the kernel, where SIGCHLD is ignored.
//!
//! Since Linux 6.15 it keeps that for those who hold a pidfd. Before, nobody can tell.

#![allow(unsafe_code)] // an ioctl that no wrapper knows

use super::super::Handle;
use super::super::ending::Status;
use rustix::thread::{Timespec, nanosleep};
use std::os::fd::AsRawFd;

/// `struct pidfd_info` of the kernel's headers, in its first version.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// What is asked for, and what there was: how the process ended.
const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// `_IOWR(PIDFS_IOCTL_MAGIC, 11, struct pidfd_info)`.
#[allow(clippy::cast_lossless, clippy::cast_possible_wrap, reason = "C libraries differ in the type")]
const PIDFD_GET_INFO: libc::Ioctl = ioctl_number::<PidfdInfo>(0xff, 11) as libc::Ioctl;

/// Who has reaped it takes its last step later: so many looks are taken.
const LOOKS_MAX: u32 = 20;

/// How long between two looks.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// How a dead child ended, if the kernel still knows.
pub(super) fn status(child: &Handle) -> Option<Status> {
    for _ in 0..LOOKS_MAX {
        let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
        // SAFETY: duty: a pointer of the layout and length that the number names: a live local, copied from the kernel's headers.
        let result = unsafe { libc::ioctl(child.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) };
        if result != 0 {
            return None;
        }
        if info.mask & PIDFD_INFO_EXIT != 0 {
            // As of wait(2).
            return Some(if libc::WIFSIGNALED(info.exit_code) {
                Status::Signal(libc::WTERMSIG(info.exit_code))
            } else {
                Status::Code(libc::WEXITSTATUS(info.exit_code))
            });
        }
        let _ = nanosleep(&LOOK_EVERY);
    }
    None
}

/// The number of a request that writes and reads a `T`. Some processors have the direction elsewhere.
const fn ioctl_number<T>(group: u32, number: u32) -> u32 {
    let (direction, bits) = if cfg!(any(
        target_arch = "mips",
        target_arch = "mips64",
        target_arch = "powerpc",
        target_arch = "powerpc64",
        target_arch = "sparc64"
    )) {
        (6, 29)
    } else {
        (3, 30)
    };
    direction << bits | (size_of::<T>() as u32) << 16 | group << 8 | number
}
