//! Sleeping on many handles.
//!
//! Events and processes are waited for as they are. A pipe of ours is watched by a read of no bytes; a pipe of somebody else
//! is looked at every [`NAP`]. A file is always ready. A thread waits for 64 handles at once: each one beyond that has an
//! [`Alarm`], which wakes it.

#![allow(unsafe_code)] // WaitForMultipleObjects, and what kind of thing a handle is

use super::alarm::Alarm;
use super::call::{event, millis, number, signal, wait_for};
use super::line::{self, LOOK_AGAIN, Watch};
use super::{BorrowedHandle, Handle, borrow};
use std::io;
use std::os::windows::io::AsRawHandle as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use windows_sys::Win32::Foundation::{HANDLE, WAIT_FAILED};
use windows_sys::Win32::Storage::FileSystem::{FILE_TYPE_DISK, FILE_TYPE_PIPE, GetFileType};
use windows_sys::Win32::System::Threading::{ResetEvent, WaitForMultipleObjects};

/// How often that is looked at which nobody wakes us for.
const NAP: Duration = Duration::from_millis(1);

/// Handles that a thread waits for at once, and one that stands for all the others.
const AT_ONCE: usize = 63;

/// What kind of thing a handle is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// The system waits for it.
    Object,
    /// A pipe of ours.
    Pipe,
    /// A pipe of somebody else.
    Stranger,
    /// It is ready.
    File,
}

impl Kind {
    /// How long one may sleep at a time that waits for it; `None`: for ever. As to pipes of ours, see
    /// [`line::wait_until_readable`].
    fn nap(self) -> Option<Duration> {
        match self {
            Self::Object => None,
            Self::Pipe => Some(LOOK_AGAIN),
            Self::Stranger | Self::File => Some(NAP),
        }
    }
}

/// A set of handles to sleep on, level-triggered.
#[derive(Debug)]
pub struct Poller {
    entries: Mutex<Vec<Arc<Entry>>>,
    /// Wakes who sleeps on a set that is not the same any more, and rings for those beyond the first [`AT_ONCE`].
    changed: Arc<Handle>,
}

#[derive(Debug)]
struct Entry {
    /// From one sleep to the next. Goes first: it uses the handle.
    rest: Mutex<Rest>,
    key: u64,
    /// What its owner calls it.
    number: usize,
    /// Ours, so that nobody closes it while we sleep on it.
    handle: Handle,
    kind: Kind,
}

/// What is kept of a handle while nobody sleeps on it.
#[derive(Debug, Default)]
struct Rest {
    /// For one beyond the first [`AT_ONCE`]. Goes first: it waits for what is below, or for the handle.
    alarm: Option<Alarm>,
    /// For a pipe of ours.
    watch: Option<Arc<Watch>>,
}

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        Ok(Self { entries: Mutex::default(), changed: Arc::new(event(true)?) })
    }

    /// Adds a handle; [`wait`](Self::wait) names it by `key`. The caller [`remove`](Self::remove)s it before it closes it.
    pub fn add(&self, handle: BorrowedHandle<'_>, key: u64) -> io::Result<()> {
        let number = number(handle).addr();
        let (handle, kind) = (handle.try_clone_to_owned()?, kind(handle));
        let entry = Entry { rest: Mutex::default(), key, number, handle, kind };
        self.entries().push(Arc::new(entry));
        signal(borrow(&self.changed));
        Ok(())
    }

    /// Takes a handle out again.
    pub fn remove(&self, handle: BorrowedHandle<'_>) -> io::Result<()> {
        let number = number(handle).addr();
        let mut entries = self.entries();
        let index = entries.iter().position(|entry| entry.number == number).ok_or(io::ErrorKind::NotFound)?;
        entries.remove(index);
        signal(borrow(&self.changed));
        Ok(())
    }

    /// Sleeps until a handle is readable or its peer is gone, at most `timeout` (`None`: for ever). Replaces the
    /// contents of `keys` by the keys of such handles: none after a time-out, or when the set was changed.
    pub fn wait(&self, timeout: Option<Duration>, keys: &mut Vec<u64>) -> io::Result<()> {
        keys.clear();
        // SAFETY: duty: an open handle: ours. What is changed from here on wakes us.
        unsafe { ResetEvent(number(borrow(&self.changed))) };
        let entries = self.entries().clone();
        let find = |keys: &mut Vec<u64>| {
            keys.extend(entries.iter().filter(|entry| entry.is_ready()).map(|entry| entry.key));
        };
        // They live until the sleep is over.
        let watches = entries.iter().map(|entry| entry.watch()).collect::<io::Result<Vec<_>>>()?;
        let mut handles = vec![number(borrow(&self.changed))];
        for (entry, watch) in entries.iter().zip(&watches) {
            let told = match (entry.kind, watch) {
                (_, Some(watch)) => watch.handle(),
                (Kind::Object, None) => borrow(&entry.handle),
                (Kind::Pipe | Kind::Stranger | Kind::File, None) => continue,
            };
            if handles.len() <= AT_ONCE {
                handles.push(number(told));
            } else {
                entry.set_alarm(told, &self.changed)?;
            }
        }
        let nap = entries.iter().filter_map(|entry| entry.kind.nap()).min();
        let woken = sleep(&handles, timeout, nap, || {
            find(keys);
            !keys.is_empty()
        })?;
        if woken && keys.is_empty() {
            find(keys);
        }
        Ok(())
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Arc<Entry>>> {
        // Nothing that panics runs under this lock.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_ready(&self) -> bool {
        is_ready(borrow(&self.handle), self.kind)
    }

    /// The watch of a pipe of ours; one that is over is replaced.
    fn watch(&self) -> io::Result<Option<Arc<Watch>>> {
        if self.kind != Kind::Pipe {
            return Ok(None);
        }
        let mut rest = self.rest();
        if rest.watch.as_ref().is_none_or(|watch| wait_for(watch.handle(), Some(Duration::ZERO))) {
            *rest = Rest::default();
            rest.watch = Some(Arc::new(Watch::start(borrow(&self.handle))?));
        }
        Ok(rest.watch.clone())
    }

    /// Has `event` set when what tells of this one is signalled. An alarm that has rung is set again.
    fn set_alarm(&self, told: BorrowedHandle<'_>, event: &Arc<Handle>) -> io::Result<()> {
        let mut rest = self.rest();
        if rest.alarm.as_ref().is_none_or(Alarm::has_rung) {
            rest.alarm = Some(Alarm::set(told, event)?);
        }
        Ok(())
    }

    fn rest(&self) -> MutexGuard<'_, Rest> {
        // Whatever is in it is used or replaced as a whole.
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sleeps until `handle` is readable or its peer is gone, at most `timeout`; whether it is.
pub fn ready(handle: BorrowedHandle<'_>, timeout: Option<Duration>) -> io::Result<bool> {
    Ok(ready_any(&[handle], timeout)?[0])
}

/// Sleeps until one of `handles` is readable or its peer is gone, at most `timeout`; for each, whether it is. All
/// false after a time-out.
pub fn ready_any(handles: &[BorrowedHandle<'_>], timeout: Option<Duration>) -> io::Result<Vec<bool>> {
    let kinds: Vec<_> = handles.iter().map(|handle| kind(*handle)).collect();
    let look = || -> Vec<bool> {
        handles.iter().zip(&kinds).map(|(handle, kind)| is_ready(*handle, *kind)).collect()
    };
    let found = look();
    if found.contains(&true) || timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Ok(found);
    }
    let (mut told, mut watches) = (Vec::new(), Vec::new());
    for (handle, kind) in handles.iter().zip(&kinds) {
        match kind {
            Kind::Object => told.push(*handle),
            Kind::Pipe => watches.push(Watch::start(*handle)?),
            Kind::Stranger | Kind::File => {}
        }
    }
    told.extend(watches.iter().map(Watch::handle));
    let (first, beyond) = told.split_at(told.len().min(AT_ONCE));
    let rung = Arc::new(event(true)?);
    let alarms = beyond.iter().map(|handle| Alarm::set(*handle, &rung)).collect::<io::Result<Vec<_>>>()?;
    let numbers: Vec<_> = first.iter().copied().chain([borrow(&rung)]).map(number).collect();
    let mut found = found;
    let nap = kinds.iter().filter_map(|kind| kind.nap()).min();
    sleep(&numbers, timeout, nap, || {
        found = look();
        found.contains(&true)
    })?;
    drop(alarms);
    Ok(look())
}

/// The same for a number of them that is known beforehand.
pub fn ready_each<const N: usize>(
    handles: [BorrowedHandle<'_>; N],
    timeout: Option<Duration>,
) -> io::Result<[bool; N]> {
    let mut ready = ready_any(&handles, timeout)?.into_iter();
    Ok([(); N].map(|()| ready.next() == Some(true)))
}

/// Sleeps until one of `handles`, not more than a thread can wait for, is signalled or `look` finds something, after each
/// `nap`; false if neither did.
fn sleep(
    handles: &[HANDLE],
    timeout: Option<Duration>,
    nap: Option<Duration>,
    mut look: impl FnMut() -> bool,
) -> io::Result<bool> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let length = left.into_iter().chain(nap).min();
        // SAFETY: duty: open handles, as many as are named: the callers keep them.
        let woken =
            unsafe { WaitForMultipleObjects(handles.len() as u32, handles.as_ptr(), 0, millis(length)) };
        if woken == WAIT_FAILED {
            return Err(io::Error::last_os_error());
        }
        // Any number below 64 is the place of a handle that is signalled.
        if (woken as usize) < handles.len() {
            return Ok(true);
        }
        if nap.is_some() && look() {
            return Ok(true);
        }
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(false);
        }
    }
}

fn is_ready(handle: BorrowedHandle<'_>, kind: Kind) -> bool {
    match kind {
        Kind::Object => wait_for(handle, Some(Duration::ZERO)),
        // The end is there to be read, too; so is whatever else is wrong.
        Kind::Pipe | Kind::Stranger => line::waiting(handle).map_or(true, |there| there.is_some()),
        Kind::File => true,
    }
}

fn kind(handle: BorrowedHandle<'_>) -> Kind {
    // SAFETY: duty: an open handle: the borrow keeps it so.
    match unsafe { GetFileType(handle.as_raw_handle()) } {
        FILE_TYPE_DISK => Kind::File,
        FILE_TYPE_PIPE if is_ours(handle) => Kind::Pipe,
        FILE_TYPE_PIPE => Kind::Stranger,
        _ => Kind::Object,
    }
}

/// Whether a pipe can be read without waiting: by its name.
fn is_ours(pipe: BorrowedHandle<'_>) -> bool {
    line::name_of(pipe).is_some_and(|name| name.starts_with(line::PREFIX))
}

#[cfg(test)]
mod tests {
    use super::super::bell::Bell;
    use super::super::pipe::{pipe, write_all};
    use super::*;

    #[test]
    fn a_set_names_what_is_ready() {
        let poller = Poller::new().unwrap();
        let bells: Vec<_> = (0..100).map(|_| Bell::new().unwrap()).collect();
        for (key, bell) in (0..).zip(&bells) {
            poller.add(bell.handle(), key).unwrap();
        }
        let (reader, writer) = pipe().unwrap();
        poller.add(borrow(&reader), 1000).unwrap();
        let mut keys = Vec::new();
        poller.wait(Some(Duration::ZERO), &mut keys).unwrap();
        assert_eq!(keys, []);
        for key in [3, 99] {
            bells[key as usize].ring();
            poller.wait(None, &mut keys).unwrap();
            assert_eq!(keys, [key]);
            bells[key as usize].clear();
        }
        write_all(borrow(&writer), b"x");
        poller.wait(None, &mut keys).unwrap();
        assert_eq!(keys, [1000]);
        poller.remove(borrow(&reader)).unwrap();
        poller.wait(Some(Duration::ZERO), &mut keys).unwrap();
        assert_eq!(keys, []);
    }

    #[test]
    fn of_many_handles_each_wakes_who_sleeps() {
        let poller = Poller::new().unwrap();
        let bells: Vec<_> = (0..150).map(|_| Bell::new().unwrap()).collect();
        let pipes: Vec<_> = (0..20).map(|_| pipe().unwrap()).collect();
        for (key, bell) in (0..).zip(&bells) {
            poller.add(bell.handle(), key).unwrap();
        }
        for (key, (reader, _)) in (150..).zip(&pipes) {
            poller.add(borrow(reader), key).unwrap();
        }
        std::thread::scope(|scope| {
            let (send, woken) = std::sync::mpsc::channel();
            let (bells, pipes, poller) = (&bells, &pipes, &poller);
            scope.spawn(move || {
                let (mut keys, mut left) = (Vec::new(), 4);
                while left > 0 {
                    poller.wait(None, &mut keys).unwrap();
                    for key in keys.drain(..) {
                        if let Some(bell) = bells.get(key as usize) {
                            assert!(bell.clear());
                        } else {
                            let (reader, _) = &pipes[key as usize - 150];
                            line::read_now(borrow(reader), &mut [0; 4]).unwrap();
                        }
                        left -= 1;
                        send.send(key).unwrap();
                    }
                }
            });
            for key in [149, 0, 149] {
                bells[key as usize].ring();
                assert_eq!(woken.recv().unwrap(), key);
            }
            write_all(borrow(&pipes[19].1), b"x");
            assert_eq!(woken.recv().unwrap(), 169);
        });
        let all: Vec<_> = bells.iter().map(Bell::handle).collect();
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| ready_any(&all, None).unwrap());
            bells[140].ring();
            assert_eq!(sleeper.join().unwrap().iter().position(|ready| *ready), Some(140));
        });
    }

    #[test]
    fn a_pipe_is_ready_when_there_is_something_or_its_end() {
        let (reader, writer) = pipe().unwrap();
        assert!(!ready(borrow(&reader), Some(Duration::from_millis(5))).unwrap());
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| ready(borrow(&reader), None).unwrap());
            write_all(borrow(&writer), b"x");
            assert!(sleeper.join().unwrap());
        });
        line::read_now(borrow(&reader), &mut [0; 4]).unwrap();
        let (stranger, other) = io::pipe().unwrap();
        drop(other);
        let ends = [borrow(&reader), std::os::windows::io::AsHandle::as_handle(&stranger)];
        assert_eq!(ready_any(&ends, None).unwrap(), [false, true]);
        drop(writer);
        assert!(ready(borrow(&reader), None).unwrap());
    }
}
