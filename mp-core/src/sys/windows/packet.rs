//! A connected pair that keeps the borders of messages and also carries handles.

#![allow(unsafe_code)] // a handle that may be exchanged for another one

use super::deposit::Deposits;
use super::line::{self, Holder, Pipe};
use super::{BorrowedHandle, Handle, borrow, call, family};
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::os::windows::io::AsRawHandle as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

pub use super::line::Patient;

/// What a pair holds in each direction, in bytes: a few of the longest messages.
const ROOM: u32 = 256 << 10;

thread_local! {
    /// Where messages are received, kept from one to the next.
    static MESSAGE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// One end of a connected pair: a named pipe in message mode. The first process of the family keeps the handles of a
/// message until it is received.
#[derive(Debug)]
pub struct Packets {
    /// `None` once it was let go. Who uses it keeps it open meanwhile.
    pipe: Mutex<Option<Arc<Handle>>>,
    /// After that: an event that is always signalled.
    gone: OnceLock<Handle>,
}

impl Packets {
    /// Two connected ends. Where only one receives it is the second: that this one is gone can be seen by its name.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (server, client) = line::pair(ROOM)?;
        Ok((Self::from_handle(client), Self::from_handle(server)))
    }

    /// Takes a handle that is known to be such an end.
    pub fn from_handle(handle: Handle) -> Self {
        Self { pipe: Mutex::new(Some(Arc::new(handle))), gone: OnceLock::new() }
    }

    /// The handle, to be polled or sent. Another one after [`let_go`](Self::let_go).
    pub fn handle(&self) -> BorrowedHandle<'_> {
        let pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*pipe, self.gone.get()) {
            // SAFETY: duty: open for the length of the borrow: `self` keeps it until it is let go. Who polls it while another
            // thread lets go of it waits for a number that means nothing any more, which the system refuses.
            (Some(pipe), _) => unsafe { BorrowedHandle::borrow_raw(pipe.as_raw_handle()) },
            (None, Some(gone)) => borrow(gone),
            (None, None) => unreachable!("`let_go` sets the one before it takes the other"),
        }
    }

    /// Lets go of the connection while this end lives on: its handle is another one from now on, that of an end whose peer is
    /// gone.
    pub fn let_go(&self) -> io::Result<()> {
        let gone = call::event(true)?;
        call::signal(borrow(&gone));
        let _ = self.gone.set(gone);
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(())
    }

    /// Sends one packet of at least one byte with its handles.
    ///
    /// # Blocking and death
    /// Waits for room if `patient`. A peer that is gone is [`io::ErrorKind::BrokenPipe`].
    pub fn send(
        &self,
        bytes: &[IoSlice<'_>],
        handles: &[BorrowedHandle<'_>],
        patient: Patient,
    ) -> io::Result<()> {
        let Some(pipe) = self.pipe() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let sent = line::send(borrow(&pipe), bytes, handles, Holder::Keeper(family::keeper()), patient);
        if sent.as_ref().is_err_and(line::is_end) {
            receiver_is_gone(borrow(&pipe));
        }
        sent
    }

    /// Receives one packet and appends the handles that came along. Zero means that the peer is gone and everything it
    /// sent was read.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when the packet is longer than `bytes`, or handles were lost on the way. The packet is
    /// gone then.
    ///
    /// # Blocking and death
    /// Waits if `patient`.
    pub fn receive(
        &self,
        bytes: &mut [u8],
        handles: &mut Vec<Handle>,
        patient: Patient,
    ) -> io::Result<usize> {
        let Some(pipe) = self.pipe() else { return Ok(0) };
        let mut message = MESSAGE.try_with(Cell::take).unwrap_or_default();
        // Room for a whole packet with its handles: two threads must not read a part each.
        message.reserve(bytes.len() + line::HEAD_BYTES_MAX);
        let received = line::receive(borrow(&pipe), &mut message, handles, patient);
        let len = match received {
            Ok(true) if message.len() > bytes.len() => {
                handles.clear();
                Err(io::Error::new(io::ErrorKind::InvalidData, "a part of the packet was lost on the way"))
            }
            Ok(true) => {
                bytes[..message.len()].copy_from_slice(&message);
                Ok(message.len())
            }
            Ok(false) => Ok(0),
            Err(error) => Err(error),
        };
        // A thread that is ending drops it.
        let _ = MESSAGE.try_with(|kept| kept.set(message));
        len
    }

    /// The first bytes of the next packet, which stays; how many there are. Zero as in [`receive`](Self::receive).
    ///
    /// # Blocking and death
    /// Waits if `patient`.
    pub fn peek(&self, bytes: &mut [u8], patient: Patient) -> io::Result<usize> {
        let Some(pipe) = self.pipe() else { return Ok(0) };
        loop {
            match line::peek(borrow(&pipe), bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && patient == Patient::Yes => {
                    line::wait_until_readable(borrow(&pipe))?;
                }
                peeked => return peeked,
            }
        }
    }

    /// Naps: nobody says when there is room. The caller tries again.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self)] // the signature is that of systems that know
    pub fn wait_for_room(&self, timeout: Duration) -> io::Result<bool> {
        std::thread::sleep(timeout.min(Duration::from_millis(1)));
        Ok(true)
    }

    fn pipe(&self) -> Option<Arc<Handle>> {
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Packets {
    /// Has the handles of messages closed that nobody can receive any more.
    fn drop(&mut self) {
        let pipe = self.pipe.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(pipe), Some(deposits)) = (pipe, Deposits::at_hand(family::keeper())) else { return };
        if line::is_server(borrow(&pipe)) {
            if line::waiting(borrow(&pipe)).is_err_and(|error| line::is_end(&error)) {
                receiver_is_gone(borrow(&pipe));
            }
        } else {
            // If it is an end that receives, no other process has it.
            let (mut bytes, mut handles) = (Vec::new(), Vec::new());
            while let Ok(true) = line::receive(borrow(&pipe), &mut bytes, &mut handles, Patient::No) {
                handles.clear();
            }
        }
        drop(pipe);
        deposits.pipe_closed();
    }
}

/// What was sent into this end, whose other end is gone, will not be received.
fn receiver_is_gone(pipe: BorrowedHandle<'_>) {
    if let Some((deposits, pipe)) = Deposits::at_hand(family::keeper()).zip(Pipe::of(pipe)) {
        deposits.end_all(pipe);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_keep_their_borders_and_end_with_their_sender() {
        let (one, other) = Packets::pair().unwrap();
        one.send(&[IoSlice::new(b"ab"), IoSlice::new(b"c")], &[], Patient::No).unwrap();
        one.send(&[IoSlice::new(b"d")], &[other.handle()], Patient::No).unwrap();
        let (mut bytes, mut handles) = ([0; 8], Vec::new());
        assert_eq!(other.peek(&mut bytes[..1], Patient::No).unwrap(), 1);
        assert_eq!(other.receive(&mut bytes, &mut handles, Patient::No).unwrap(), 3);
        assert_eq!(bytes[..3], *b"abc");
        assert_eq!(other.peek(&mut bytes, Patient::No).unwrap(), 1);
        assert_eq!(other.receive(&mut bytes, &mut handles, Patient::No).unwrap(), 1);
        assert_eq!(handles.len(), 1);
        let empty = other.receive(&mut bytes, &mut handles, Patient::No).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        one.let_go().unwrap();
        assert!(call::wait_for(one.handle(), Some(Duration::ZERO)), "it is readable for ever");
        assert_eq!(other.receive(&mut bytes, &mut handles, Patient::Yes).unwrap(), 0);
        assert_eq!(
            one.send(&[IoSlice::new(b"x")], &[], Patient::Yes).unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    }

    #[test]
    fn a_full_pair_says_so_and_takes_nothing() {
        let (one, other) = Packets::pair().unwrap();
        let packet = vec![1; 64 << 10];
        let mut sent = 0;
        let full = loop {
            match one.send(&[IoSlice::new(&packet)], &[], Patient::No) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
            assert!(sent < 100);
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        let (mut bytes, mut handles) = (vec![0; 64 << 10], Vec::new());
        for _ in 0..sent {
            assert_eq!(other.receive(&mut bytes, &mut handles, Patient::No).unwrap(), packet.len());
        }
        let empty = other.receive(&mut bytes, &mut handles, Patient::No).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_waiting_look_leaves_the_packet() {
        let (one, other) = Packets::pair().unwrap();
        std::thread::scope(|scope| {
            let looker = scope.spawn(|| other.peek(&mut [0; 4], Patient::Yes).unwrap());
            one.send(&[IoSlice::new(b"abcdef")], &[], Patient::No).unwrap();
            assert_eq!(looker.join().unwrap(), 4);
        });
        assert_eq!(other.receive(&mut [0; 8], &mut Vec::new(), Patient::No).unwrap(), 6);
    }
}
