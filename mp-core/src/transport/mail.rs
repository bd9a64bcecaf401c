//! What comes to a worker over its control socket.
//!
//! ```text
//!  parent ─► socket ─► the watch thread, which looks at it at all times ─┬─► news ─► the main thread
//!                  └─► the main thread, if it waits for what is there ───┘
//! ```
//! So a message is not waited for that has come already: the watch thread may have to be woken for it, and to wake the one
//! that runs calls.

use super::bundles::Receiving;
use super::control::{self, Arrived, Inbox};
use crate::limits;
use crate::protocol::control::{ToParent, ToWorker};
use crate::shm::region::Shared;
use crate::shm::slab::AttachedSlab;
use crate::sys::socket::Socket;
use crate::sys::{self, BorrowedHandle, Handle};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the main thread and the watch thread of a worker share.
#[derive(Debug)]
pub struct Mail {
    socket: Socket,
    /// What of the next message has been read. Locked until that one is filed, and before `news`.
    inbox: Mutex<Inbox>,
    news: Mutex<News>,
    arrived: Condvar,
}

/// What has been said.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Slabs that calls refer to, or why one cannot be mapped. The main thread keeps the one that it reads.
    pub(super) slabs: HashMap<u64, Result<Arc<AttachedSlab>, String>>,
    /// Descriptors of calls that have not begun.
    pub(super) handles: HashMap<u64, Arrived>,
    /// Where those of later calls come.
    pub(super) line: Option<Receiving>,
    /// Our own slab is being read by the parent.
    pub(super) lent: bool,
    /// Whom to wake when it has been read: the main thread, which has nothing to do.
    pub(super) waits_for_slab: Option<Shared>,
    /// This process may outlive its parent.
    detached: bool,
    /// Something that came was not understood, so that what comes after it makes no sense.
    broken: bool,
}

/// What was there to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// No message as a whole.
    Nothing,
    /// One that has been filed.
    News,
    /// Now or before: live on when the parent ends.
    Detach,
    /// Nothing that can be read: the other thread has found out why, says so, and ends this process.
    Broken,
}

impl Mail {
    /// Mail over this socket.
    pub fn new(socket: Socket) -> Arc<Self> {
        Arc::new(Self { socket, inbox: Mutex::default(), news: Mutex::default(), arrived: Condvar::new() })
    }

    /// Readable when a message is there or the parent is gone.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.socket.handle()
    }

    /// Tells the parent.
    pub fn send(&self, message: &ToParent, handles: &[BorrowedHandle<'_>]) -> io::Result<()> {
        control::send(&self.socket, message, handles)
    }

    /// Reads one message, waiting for it.
    pub fn receive(&self) -> io::Result<Option<(ToWorker, Arrived)>> {
        self.inbox().receive(&self.socket)
    }

    /// Reads the first message, and waits for it as long as there is somebody to send it.
    pub fn receive_first(&self) -> io::Result<Option<(ToWorker, Arrived)>> {
        let is_there = |patience| sys::poller::ready(self.handle(), Some(patience));
        while !is_there(limits::LOOK_AGAIN)? {
            // What was sent before its death counts.
            if sys::entry::is_left_alone(&self.socket) && !is_there(Duration::ZERO)? {
                return Err(io::Error::other("its parent is gone"));
            }
        }
        self.receive()
    }

    /// Files the next message if it is there.
    ///
    /// # Errors
    /// Of what is no message or none for a worker, one of the two threads hears, once.
    pub fn file_next(&self) -> io::Result<Told> {
        let mut inbox = self.inbox();
        match &*self.news() {
            News { detached: true, .. } => return Ok(Told::Detach),
            News { broken: true, .. } => return Ok(Told::Broken),
            News { .. } => {}
        }
        self.file_from(&mut inbox).inspect_err(|error| {
            // What the system says, and the end, it says again.
            self.news().broken = error.raw_os_error().is_none() && !is_end(error);
        })
    }

    fn file_from(&self, inbox: &mut Inbox) -> io::Result<Told> {
        let Some((message, arrived)) = inbox.receive_now(&self.socket)? else { return Ok(Told::Nothing) };
        let mut news = self.news();
        let mut sleeper = None;
        match message {
            ToWorker::Slab { id, len } => {
                let len = usize::try_from(len).map_err(io::Error::other)?;
                let slab = the_only(arrived, "a slab message")?;
                let slab = slab.and_then(|handle| AttachedSlab::attach(handle, len));
                news.slabs.insert(id, slab.map(Arc::new).map_err(|error| error.to_string()));
            }
            ToWorker::Forget { id } => {
                news.slabs.remove(&id);
            }
            ToWorker::Free => {
                news.lent = false;
                sleeper = news.waits_for_slab.take();
            }
            ToWorker::Handles { call } => {
                news.handles.insert(call, arrived);
            }
            ToWorker::Line => {
                news.line = Some(Receiving::from_handle(the_only(arrived, "a line")?.ok()));
            }
            ToWorker::Detach => {
                news.detached = true;
                return Ok(Told::Detach);
            }
            ToWorker::Init(_) | ToWorker::Host(_) => return Err(io::Error::other("a second first message")),
            ToWorker::Fork(_) => return Err(io::Error::other("this process makes no copies")),
        }
        drop(news);
        self.arrived.notify_all();
        if let Some(shared) = sleeper {
            // It looks under the lock, after it has said that it sleeps: it has seen this, or we see that it sleeps.
            shared.worker_sleep.notify();
        }
        Ok(Told::News)
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // Nothing that panics runs under this lock, nor under that of the news.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `look` finds what it looks for. For the main thread. If the parent is gone the watch thread ends this
    /// process.
    ///
    /// # Errors
    /// If what is there cannot be read or makes no sense.
    pub(super) fn wait_for<T>(&self, mut look: impl FnMut(&mut News) -> Option<T>) -> io::Result<T> {
        loop {
            if let Some(found) = look(&mut self.news()) {
                return Ok(found);
            }
            if self.read_here()? {
                continue;
            }
            // The watch thread may have been faster.
            let mut news = self.news();
            if let Some(found) = look(&mut news) {
                return Ok(found);
            }
            drop(self.arrived.wait(news));
        }
    }

    /// Files the next message in the main thread; whether there is one.
    fn read_here(&self) -> io::Result<bool> {
        match self.file_next() {
            Ok(told) => {
                if told == Told::Detach {
                    // The watch thread need not hear of it before the parent ends.
                    sys::entry::outlive_parent();
                }
                Ok(told == Told::News)
            }
            Err(error) if is_end(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The descriptor of a message that has one, if there was room for it.
fn the_only(arrived: Arrived, what: &str) -> io::Result<io::Result<Handle>> {
    match arrived.map(|handles| handles.into_iter().next()) {
        Ok(Some(handle)) => Ok(Ok(handle)),
        Ok(None) => Err(io::Error::other(format!("{what} without its descriptor"))),
        Err(no_room) => Ok(Err(no_room)),
    }
}

/// Whether it says that the parent is gone.
pub fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    /// Far longer than anything here takes.
    const WATCHDOG: Duration = Duration::from_secs(60);

    #[test]
    fn who_waits_for_what_has_come_does_not_wait_for_the_watch_thread() {
        let (here, there) = Socket::pair().expect("a pair");
        let mail = Mail::new(there);
        let (pipe, _write) = sys::pipe::pipe().expect("a pipe");
        control::send(&here, &ToWorker::Free, &[]).expect("room");
        control::send(&here, &ToWorker::Handles { call: 7 }, &[sys::borrow(&pipe)]).expect("room");
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || done.send(mail.wait_for(|news| news.handles.remove(&7))));
        let found = is_done.recv_timeout(WATCHDOG).expect("nobody else reads it").expect("a socket");
        assert_eq!(found.expect("room").len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_said_and_who_has_been_let_go_hears_no_end() {
        let (here, there) = Socket::pair().expect("a pair");
        let mail = Mail::new(there);
        control::send(&here, &ToWorker::Detach, &[]).expect("room");
        assert_eq!(mail.file_next().expect("a message"), Told::Detach);
        drop(here);
        assert_eq!(mail.file_next().expect("it was said before the end"), Told::Detach);

        let (here, there) = Socket::pair().expect("a pair");
        let mail = Mail::new(there);
        here.send(&[io::IoSlice::new(&[1, 0, 0, 0, 0xff])], &[]).expect("room");
        let error = mail.wait_for(|_| None::<()>).expect_err("it is garbled");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        control::send(&here, &ToWorker::Free, &[]).expect("room");
        assert_eq!(mail.file_next().expect("it was said"), Told::Broken);
    }
}
