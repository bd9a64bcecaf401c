//! A connected pair that keeps the borders of messages and also carries handles.
//!
//! The kernel takes a packet whole or not at all: a sender that is killed leaves no half of one.

use super::platform::socket_flags::{CLOSE_ON_EXEC_RECEIVED, NO_SIGNAL, packet_pair, replace};
use super::{BorrowedHandle, Handle};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::time::Duration;

/// Handles that one packet may carry: Linux's `SCM_MAX_FD`.
const HANDLES_MAX: usize = 253;

/// One end of a connected pair (`AF_UNIX`, `SOCK_SEQPACKET`, closed on exec).
#[derive(Debug)]
pub struct Packets(Handle);

/// Whether a call waits for room or for a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patient {
    /// It waits.
    Yes,
    /// It fails with [`io::ErrorKind::WouldBlock`].
    No,
}

impl Packets {
    /// Two connected ends.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = packet_pair()?;
        Ok((Self(one), Self(other)))
    }

    /// Takes a descriptor that is known to be such an end.
    pub fn from_handle(handle: Handle) -> Self {
        Self(handle)
    }

    /// The descriptor, to be polled or sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.0.as_fd()
    }

    /// Lets go of the connection while this end lives on: its descriptor stays open and stands for an end whose peer is
    /// gone.
    pub fn let_go(&self) -> io::Result<()> {
        let (dead, peer) = packet_pair()?;
        drop(peer);
        replace(self.0.as_fd(), &dead)
    }

    /// Sends one packet of at least one byte with its handles.
    ///
    /// # Blocking and death
    /// Waits for room if `patient`. A peer that is gone is [`io::ErrorKind::BrokenPipe`], without a signal.
    pub fn send(
        &self,
        bytes: &[IoSlice<'_>],
        handles: &[BorrowedHandle<'_>],
        patient: Patient,
    ) -> io::Result<()> {
        if handles.len() > HANDLES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "handles are limited to 253 at once"));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(HANDLES_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !handles.is_empty() && !control.push(SendAncillaryMessage::ScmRights(handles)) {
            return Err(io::Error::other("the space for handles was measured wrong"));
        }
        let flags = match patient {
            Patient::Yes => NO_SIGNAL,
            Patient::No => NO_SIGNAL | SendFlags::DONTWAIT,
        };
        loop {
            match sendmsg(&self.0, bytes, &mut control, flags) {
                Err(Errno::INTR) => {}
                // A peer that died with unread packets shows as a reset.
                Err(Errno::CONNRESET | Errno::NOTCONN) => return Err(io::ErrorKind::BrokenPipe.into()),
                done => return Ok(done.map(|_| ())?),
            }
        }
    }

    /// Receives one packet and appends the handles that came along. Zero means that the peer is gone and everything it
    /// sent was read.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when the packet is longer than `bytes`, or handles were lost on the way (this
    /// process has too many open). The packet is gone then.
    ///
    /// # Blocking and death
    /// Waits if `patient`.
    pub fn receive(
        &self,
        bytes: &mut [u8],
        handles: &mut Vec<Handle>,
        patient: Patient,
    ) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(HANDLES_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let (len, flags) = self.receive_with(bytes, &mut control, patient, CLOSE_ON_EXEC_RECEIVED)?;
        if flags.intersects(ReturnFlags::CTRUNC | ReturnFlags::TRUNC) {
            // The handles that did arrive are closed by the drop of `control`.
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a part of the packet was lost on the way",
            ));
        }
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(arrived) = message {
                handles.extend(arrived);
            }
        }
        Ok(len)
    }

    /// The first bytes of the next packet, which stays; how many there are. Zero as in [`receive`](Self::receive).
    ///
    /// # Blocking and death
    /// Waits if `patient`.
    pub fn peek(&self, bytes: &mut [u8], patient: Patient) -> io::Result<usize> {
        let mut control = RecvAncillaryBuffer::default();
        Ok(self.receive_with(bytes, &mut control, patient, RecvFlags::PEEK)?.0)
    }

    /// Waits until something can be sent or the peer is gone; false if the time is over first.
    pub fn wait_for_room(&self, timeout: Duration) -> io::Result<bool> {
        let timeout = timeout.try_into().map_err(io::Error::other)?;
        let mut polled = [rustix::event::PollFd::new(&self.0, rustix::event::PollFlags::OUT)];
        match rustix::event::poll(&mut polled, Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    fn receive_with(
        &self,
        bytes: &mut [u8],
        control: &mut RecvAncillaryBuffer<'_>,
        patient: Patient,
        flags: RecvFlags,
    ) -> io::Result<(usize, ReturnFlags)> {
        let flags = match patient {
            Patient::Yes => flags,
            Patient::No => flags | RecvFlags::DONTWAIT,
        };
        loop {
            match recvmsg(&self.0, &mut [IoSliceMut::new(bytes)], control, flags) {
                // The reset says once that the peer died with unread packets; what it sent is still there to be read.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Ok(received) => return Ok((received.bytes, received.flags)),
                Err(error) => return Err(error.into()),
            }
        }
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
        assert_eq!(other.peek(&mut bytes, Patient::No).unwrap(), 1);
        assert_eq!(other.receive(&mut bytes, &mut handles, Patient::No).unwrap(), 1);
        assert_eq!(handles.len(), 1);
        let empty = other.receive(&mut bytes, &mut handles, Patient::No).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        one.let_go().unwrap();
        assert_eq!(other.receive(&mut bytes, &mut handles, Patient::Yes).unwrap(), 0);
        assert_eq!(
            one.send(&[IoSlice::new(b"x")], &[], Patient::Yes).unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    }
}
