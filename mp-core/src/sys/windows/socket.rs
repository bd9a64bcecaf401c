//! A connected pair of byte streams that also carry handles.

use super::family::Peer;
use super::line::{self, Holder, Patient};
use super::stdio::Stdio;
use super::{BorrowedHandle, Handle, borrow};
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// What a pair holds in each direction, in bytes: more than the longest message, so that one is never refused for good.
const ROOM: u32 = 2 << 20;

/// The process that has an end, once that is known; until then it is this one.
type Place = Arc<OnceLock<Peer>>;

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many bytes.
    pub bytes: usize,
    /// Whether the handles that came along were lost: never here.
    pub has_lost: bool,
}

/// One end of a connected pair: a named pipe. Each [`send`](Self::send) is one message, whose handles are put into the
/// process at the other end, so that they die with it.
#[derive(Debug)]
pub struct Socket {
    /// `None` once it was given away.
    pipe: Option<Handle>,
    /// Who is at this end, for the other one.
    here: Place,
    /// Who is at the other end.
    there: Place,
    nonblocking: AtomicBool,
    /// What was received and not asked for yet.
    rest: Mutex<Vec<u8>>,
}

impl Socket {
    /// Whether handles may be sent before there is a process to receive them, by one that ends before they are received: who
    /// receives them fetches them from the sender, unless that one knows the receiver.
    pub const CARRIES_TO_NOBODY: bool = false;

    /// Two connected ends.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = line::pair(ROOM)?;
        let (here, there) = (Place::default(), Place::default());
        Ok((Self::of(one, here.clone(), there.clone()), Self::of(other, there, here)))
    }

    /// Takes a handle that is known to be such an end, of a pair that is in this process.
    pub fn from_handle(handle: Handle) -> Self {
        Self::of(handle, Place::default(), Place::default())
    }

    /// The same; `there` is the process that has the other end.
    pub(super) fn connected(handle: Handle, there: Peer) -> Self {
        Self::of(handle, Place::default(), Arc::new(OnceLock::from(there)))
    }

    fn of(pipe: Handle, here: Place, there: Place) -> Self {
        Self { pipe: Some(pipe), here, there, nonblocking: AtomicBool::new(false), rest: Mutex::default() }
    }

    /// The handle, to be polled.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        match &self.pipe {
            Some(pipe) => borrow(pipe),
            None => unreachable!("who takes the pipe takes the socket"),
        }
    }

    /// The handle, kept open by the caller from now on.
    pub fn into_handle(mut self) -> Handle {
        match self.pipe.take() {
            Some(pipe) => pipe,
            None => unreachable!("who takes the pipe takes the socket"),
        }
    }

    /// This end as a standard stream of a child, and the place to say who that is.
    pub(super) fn into_stdio(mut self) -> (Stdio, Arc<OnceLock<Peer>>) {
        (self.pipe.take().map_or_else(Stdio::null, Stdio::from), self.here.clone())
    }

    /// Makes calls that would wait fail with [`io::ErrorKind::WouldBlock`] instead, or back.
    #[allow(clippy::unnecessary_wraps)] // the signature is that of systems where it can fail
    pub fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        self.nonblocking.store(on, Relaxed);
        Ok(())
    }

    /// Naps: nobody says when there is room. Messages are sent whole, so nobody waits for room for the rest of one.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self)] // the signature is that of systems that know
    pub fn wait_for_room(&self, timeout: Duration) -> io::Result<bool> {
        std::thread::sleep(timeout.min(Duration::from_millis(1)));
        Ok(true)
    }

    /// Sends all of `bytes`, at least one, with all of `handles`. Returns how many bytes went out: all.
    ///
    /// # Blocking and death
    /// Waits for room unless the socket is nonblocking. A peer that is gone is [`io::ErrorKind::BrokenPipe`].
    pub fn send(&self, bytes: &[IoSlice<'_>], handles: &[BorrowedHandle<'_>]) -> io::Result<usize> {
        let ourselves = Peer::ourselves();
        let there = self.there.get().unwrap_or(&ourselves);
        line::send(self.handle(), bytes, handles, Holder::Receiver(there), self.patient())?;
        Ok(bytes.iter().map(|part| part.len()).sum())
    }

    /// Receives what is there, at least one byte, and appends the handles that came along. Zero means that the peer
    /// is gone and everything it sent was read.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when handles were lost on the way.
    ///
    /// # Blocking and death
    /// Waits unless the socket is nonblocking.
    pub fn receive(&self, bytes: &mut [u8], handles: &mut Vec<Handle>) -> io::Result<Received> {
        self.receive_if(bytes, handles, self.patient())
    }

    /// The same, without waiting, whatever the socket does otherwise.
    pub fn receive_now(&self, bytes: &mut [u8], handles: &mut Vec<Handle>) -> io::Result<Received> {
        self.receive_if(bytes, handles, Patient::No)
    }

    fn receive_if(
        &self,
        bytes: &mut [u8],
        handles: &mut Vec<Handle>,
        patient: Patient,
    ) -> io::Result<Received> {
        let received = |bytes| Received { bytes, has_lost: false };
        // Nothing that panics runs under this lock.
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        if rest.is_empty() {
            let mut message = Vec::new();
            if !line::receive(self.handle(), &mut message, handles, patient)? {
                return Ok(received(0));
            }
            *rest = message;
        }
        let len = rest.len().min(bytes.len());
        bytes[..len].copy_from_slice(&rest[..len]);
        rest.drain(..len);
        Ok(received(len))
    }

    /// Nothing: it is for a peer that cannot be killed, and here who started a process may always end it.
    #[allow(clippy::unused_self)] // the signature is that of systems where there is something to do
    pub fn hang_up(&self) {}

    /// What there is to receive, without receiving it. Zero means that the peer is gone and everything it sent was read.
    pub fn peek(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        if !rest.is_empty() {
            let len = rest.len().min(bytes.len());
            bytes[..len].copy_from_slice(&rest[..len]);
            return Ok(len);
        }
        loop {
            match line::peek(self.handle(), bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.patient() == Patient::Yes => {
                    line::wait_until_readable(self.handle())?;
                }
                peeked => return peeked,
            }
        }
    }

    fn patient(&self) -> Patient {
        if self.nonblocking.load(Relaxed) { Patient::No } else { Patient::Yes }
    }
}

impl Drop for Socket {
    /// Closes the handles of messages that nobody reads any more: they were put into this process.
    fn drop(&mut self) {
        let Some(pipe) = &self.pipe else { return };
        let (mut bytes, mut handles) = (Vec::new(), Vec::new());
        while let Ok(true) = line::receive(borrow(pipe), &mut bytes, &mut handles, Patient::No) {
            handles.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bell::Bell;
    use super::*;

    #[test]
    fn bytes_and_handles_arrive_and_then_the_end() {
        let (one, other) = Socket::pair().unwrap();
        other.set_nonblocking(true).unwrap();
        let (mut bytes, mut handles) = ([0; 2], Vec::new());
        let empty = other.receive(&mut bytes, &mut handles).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        let bell = Bell::new().unwrap();
        assert_eq!(one.send(&[IoSlice::new(b"abc")], &[bell.handle()]).unwrap(), 3);
        assert_eq!(other.receive(&mut bytes, &mut handles).unwrap().bytes, 2);
        assert_eq!(other.receive(&mut bytes, &mut handles).unwrap().bytes, 1);
        Bell::from_handle(handles.pop().unwrap()).ring();
        assert!(bell.clear());
        let long = vec![7; 1 << 20];
        one.send(&[IoSlice::new(&long)], &[]).unwrap();
        let mut all = vec![0; 1 << 20];
        assert_eq!(other.receive(&mut all, &mut handles).unwrap().bytes, 1 << 20);
        assert_eq!(all, long);
        drop(one);
        assert_eq!(other.receive(&mut bytes, &mut handles).unwrap().bytes, 0);
        let gone = other.send(&[IoSlice::new(b"x")], &[]).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::BrokenPipe);
    }
}
