//! Sleeping on many handles: poll(2), which every system has for everything that can be waited for.

#![allow(unsafe_code)] // poll by number: rustix wants to borrow what others may remove meanwhile

use super::BorrowedHandle;
use super::bell::Bell;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A set of handles to sleep on, level-triggered. One thread at a time sleeps on it.
#[derive(Debug)]
pub struct Poller {
    set: Mutex<Set>,
    /// Wakes who sleeps on a set that is not the same any more.
    changed: Bell,
}

#[derive(Debug, Default)]
struct Set {
    entries: Vec<Entry>,
    added: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Tells it from a later one with the same descriptor.
    number: u64,
    descriptor: RawFd,
    key: u64,
}

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        Ok(Self { set: Mutex::default(), changed: Bell::new()? })
    }

    /// Adds a handle; [`wait`](Self::wait) names it by `key`. The caller [`remove`](Self::remove)s it before it closes it.
    #[allow(clippy::unnecessary_wraps)] // the signature is that of systems where it can fail
    pub fn add(&self, handle: BorrowedHandle<'_>, key: u64) -> io::Result<()> {
        let mut set = self.set();
        set.added += 1;
        let entry = Entry { number: set.added, descriptor: handle.as_raw_fd(), key };
        set.entries.push(entry);
        self.changed.ring();
        Ok(())
    }

    /// Takes a handle out again.
    pub fn remove(&self, handle: BorrowedHandle<'_>) -> io::Result<()> {
        let mut set = self.set();
        let before = set.entries.len();
        set.entries.retain(|entry| entry.descriptor != handle.as_raw_fd());
        self.changed.ring();
        if set.entries.len() < before { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Sleeps until a handle is readable or its peer is gone, at most `timeout` (`None`: for ever). Replaces the
    /// contents of `keys` by the keys of such handles: none after a time-out, a signal, or a change of the set.
    pub fn wait(&self, timeout: Option<Duration>, keys: &mut Vec<u64>) -> io::Result<()> {
        keys.clear();
        let entries = self.set().entries.clone();
        let changed = self.changed.handle().as_raw_fd();
        let mut polled: Vec<_> =
            entries.iter().map(|entry| entry.descriptor).chain([changed]).map(readable).collect();
        if !poll(&mut polled, timeout)? {
            return Ok(());
        }
        if polled.pop().is_some_and(|changed| changed.revents != 0) {
            self.changed.clear();
        }
        // One that was removed while we slept may have been closed, and its number given to another.
        let set = self.set();
        let found = entries.iter().zip(&polled).filter(|(_, polled)| polled.revents != 0);
        keys.extend(
            found
                .filter(|(entry, _)| set.entries.iter().any(|there| there.number == entry.number))
                .map(|(entry, _)| entry.key),
        );
        Ok(())
    }

    fn set(&self) -> MutexGuard<'_, Set> {
        // Nothing in here panics half-way.
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sleeps until `handle` is readable or its peer is gone, at most `timeout`; whether it is. False after a signal.
pub fn ready(handle: BorrowedHandle<'_>, timeout: Option<Duration>) -> io::Result<bool> {
    let mut polled = [readable(handle.as_raw_fd())];
    poll(&mut polled, timeout)?;
    Ok(polled[0].revents != 0)
}

/// Sleeps until one of `handles` is readable or its peer is gone, at most `timeout`; for each, whether it is. All
/// false after a time-out or a signal.
pub fn ready_any(handles: &[BorrowedHandle<'_>], timeout: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut polled: Vec<_> = handles.iter().map(|handle| readable(handle.as_raw_fd())).collect();
    poll(&mut polled, timeout)?;
    Ok(polled.iter().map(|one| one.revents != 0).collect())
}

/// The same for a number of them that is known beforehand. Allocates nothing.
pub fn ready_each<const N: usize>(
    handles: [BorrowedHandle<'_>; N],
    timeout: Option<Duration>,
) -> io::Result<[bool; N]> {
    let mut polled = handles.map(|handle| readable(handle.as_raw_fd()));
    poll(&mut polled, timeout)?;
    Ok(polled.map(|one| one.revents != 0))
}

fn readable(descriptor: RawFd) -> libc::pollfd {
    libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 }
}

/// Whether any is ready. One too long for poll(2), which counts milliseconds in 31 bits, is cut: the wait ends early, as waits
/// may.
fn poll(polled: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<bool> {
    let millis = timeout
        .map_or(-1, |timeout| i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
    // SAFETY: duty: a valid pointer to so many entries: a live slice of ours. A descriptor that is closed meanwhile is
    // reported, or stands for another one, which the callers find out.
    let count = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, millis) };
    if count >= 0 {
        return Ok(count > 0);
    }
    let error = io::Error::last_os_error();
    if error.kind() != io::ErrorKind::Interrupted {
        return Err(error);
    }
    for one in polled {
        one.revents = 0;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_that_is_added_or_removed_wakes_who_sleeps() {
        let (poller, bell) = (Poller::new().expect("a poller"), Bell::new().expect("a bell"));
        bell.ring();
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                let mut keys = Vec::new();
                while keys.is_empty() {
                    poller.wait(None, &mut keys).expect("pollable");
                }
                keys
            });
            poller.add(bell.handle(), 7).expect("added");
            assert_eq!(sleeper.join().expect("no panic"), [7]);
        });
        poller.remove(bell.handle()).expect("there");
        assert!(poller.remove(bell.handle()).is_err());
        let mut keys = vec![1];
        poller.wait(Some(Duration::ZERO), &mut keys).expect("pollable");
        assert_eq!(keys, []);
    }
}
