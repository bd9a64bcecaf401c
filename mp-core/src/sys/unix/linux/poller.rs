//! Sleeping on many handles.

use super::super::{BorrowedHandle, Handle};
use super::refused::refused;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::time::Duration;

/// Keys that one [`Poller::wait`] may return; the rest come with the next.
const EVENTS_MAX: usize = 64;

/// A set of handles to sleep on (epoll), level-triggered.
#[derive(Debug)]
pub struct Poller(Handle);

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(CreateFlags::CLOEXEC).map_err(refused("epoll_create1"))?))
    }

    /// Adds a handle; [`wait`](Self::wait) names it by `key`. The caller [`remove`](Self::remove)s it before it closes
    /// it: an open copy in another process would keep it in the set.
    pub fn add(&self, handle: BorrowedHandle<'_>, key: u64) -> io::Result<()> {
        let interest = EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        Ok(epoll::add(&self.0, handle, EventData::new_u64(key), interest)?)
    }

    /// Takes a handle out again.
    pub fn remove(&self, handle: BorrowedHandle<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.0, handle)?)
    }

    /// The handle of the set itself: readable when one of its handles is.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.0.as_fd()
    }

    /// Sleeps until a handle is readable or its peer is gone, at most `timeout` (`None`: for ever). Replaces the
    /// contents of `keys` by the keys of such handles: none after a time-out or a signal.
    pub fn wait(&self, timeout: Option<Duration>, keys: &mut Vec<u64>) -> io::Result<()> {
        keys.clear();
        let timeout = timeout.map(super::time::time_spec);
        let mut space = [MaybeUninit::<Event>::uninit(); EVENTS_MAX];
        match epoll::wait(&self.0, &mut space, timeout.as_ref()) {
            Ok((events, _)) => keys.extend(events.iter().map(|event| event.data.u64())),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Sleeps until `handle` is readable or its peer is gone, at most `timeout`; whether it is. False after a signal.
pub fn ready(handle: BorrowedHandle<'_>, timeout: Option<Duration>) -> io::Result<bool> {
    Ok(ready_each([handle], timeout)?[0])
}

/// The same for some handles; for each, whether it is. All false after a time-out or a signal. Allocates nothing.
pub fn ready_each<const N: usize>(
    handles: [BorrowedHandle<'_>; N],
    timeout: Option<Duration>,
) -> io::Result<[bool; N]> {
    let mut polled = handles.map(|handle| PollFd::from_borrowed_fd(handle, PollFlags::IN));
    Ok(if poll(&mut polled, timeout)? { polled.map(|one| !one.revents().is_empty()) } else { [false; N] })
}

/// Sleeps until one of `handles` is readable or its peer is gone, at most `timeout`; for each, whether it is. All
/// false after a time-out or a signal.
pub fn ready_any(handles: &[BorrowedHandle<'_>], timeout: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut polled: Vec<_> =
        handles.iter().map(|handle| PollFd::from_borrowed_fd(*handle, PollFlags::IN)).collect();
    Ok(if poll(&mut polled, timeout)? {
        polled.iter().map(|one| !one.revents().is_empty()).collect()
    } else {
        vec![false; handles.len()]
    })
}

/// False after a signal.
fn poll(polled: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<bool> {
    match rustix::event::poll(polled, timeout.map(super::time::time_spec).as_ref()) {
        Ok(_) => Ok(true),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
