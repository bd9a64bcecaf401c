//! What libc and the kernel have noted about a thread.

#![allow(unsafe_code)] // libc's notes on a thread

use rustix::thread::gettid;
use std::io;

/// What libc and the kernel have noted about a thread.
pub struct LibcNotes {
    /// Where libc keeps the thread's number.
    pub number: *mut libc::c_int,
    /// The word that the kernel clears at the thread's end.
    cleared: *mut libc::c_int,
    /// The thread's robust locks.
    pub robust: (*mut libc::c_void, usize),
}

impl LibcNotes {
    /// What they have noted about this one.
    pub fn of_this_thread() -> io::Result<Self> {
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
    pub fn renew(&self) {
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
