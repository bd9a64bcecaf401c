//! A name for the moment in which something is made that the system makes by name only.
//!
//! A process has one name at a time, which its number says: if it is killed in that moment, its parent removes what is left when
//! it reaps it, and so does the number's next owner.

use super::shm;
use rustix::fs::unlink;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// So many random names are tried: two that are equal are no accident.
const ATTEMPTS: usize = 100;

/// Makes something under this process's name; under a random one if somebody else has that and keeps it. `make` fails with
/// [`io::ErrorKind::AlreadyExists`] then. When it returns, the name is gone again: another thread's turn begins.
pub fn fresh<T>(mut make: impl FnMut(&str) -> io::Result<T>) -> io::Result<T> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let ours = of(std::process::id());
    let is_taken = |error: &io::Error| error.kind() == io::ErrorKind::AlreadyExists;
    let mut made = make(&ours);
    if made.as_ref().is_err_and(is_taken) {
        remove_left_by(std::process::id());
        made = make(&ours);
    }
    for _ in 0..ATTEMPTS {
        if !made.as_ref().is_err_and(is_taken) {
            break;
        }
        // std seeds it from the system's random numbers.
        made = make(&format!("mp-{:016x}", RandomState::new().build_hasher().finish()));
    }
    made
}

/// Removes what a process has left if it was killed in that moment.
pub fn remove_left_by(pid: u32) {
    let name = of(pid);
    let _ = shm::path(&name).and_then(|path| shm::unlink(&path));
    let _ = unlink(path(&name));
}

/// Where a file with this name is.
pub fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(name)
}

/// macOS lets a name of memory have 31 bytes.
fn of(pid: u32) -> String {
    format!("mp-{pid}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_is_not_taken_again() {
        let mut tried = Vec::new();
        let made = fresh(|name| {
            tried.push(name.to_owned());
            if tried.len() < 4 { Err(io::ErrorKind::AlreadyExists.into()) } else { Ok(name.to_owned()) }
        });
        assert_eq!(made.expect("the fourth"), tried[3]);
        assert_eq!(tried[0], tried[1], "what is left over is removed");
        assert!(tried[1] != tried[2] && tried[2] != tried[3] && tried[3].len() < 31);
        let refused = fresh(|_| Err::<(), _>(io::ErrorKind::AlreadyExists.into()));
        assert_eq!(refused.expect_err("all are taken").kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn what_the_dead_have_left_is_removed() {
        // A number that no process has.
        let (pid, flags) = (u32::MAX, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL);
        let left = shm::path(&of(pid)).expect("a name");
        shm::open(&left, flags).expect("a new one");
        std::fs::write(path(&of(pid)), b"").expect("a file");
        remove_left_by(pid);
        assert_eq!(shm::open(&left, libc::O_RDWR).expect_err("gone").kind(), io::ErrorKind::NotFound);
        assert!(!path(&of(pid)).exists());
    }
}
