//! A connected pair that keeps the borders of messages and also carries handles.
//!
//! The kernel takes a packet whole or not at all: a sender that is killed leaves no half of one. Where it has no such sockets,
//! a packet is a [letter](super::letter).

use super::platform::socket_flags::{LETTERS, packet_pair, replace};
use super::rights::{self, HANDLES_MAX};
use super::{BorrowedHandle, Handle, letter};
use rustix::io::Errno;
use rustix::net::{RecvFlags, ReturnFlags, SendFlags, recv};
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::time::Duration;

/// One end of a connected pair (`AF_UNIX`, closed on exec).
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
        if LETTERS {
            letter::send(self, bytes, handles, patient)
        } else {
            self.send_once(bytes, handles, patient).map(|_| ())
        }
    }

    /// Sends what goes out at once; how many bytes.
    pub(super) fn send_once(
        &self,
        bytes: &[IoSlice<'_>],
        handles: &[BorrowedHandle<'_>],
        patient: Patient,
    ) -> io::Result<usize> {
        if handles.len() > HANDLES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "handles are limited to 253 at once"));
        }
        let flags = match patient {
            Patient::Yes => SendFlags::empty(),
            Patient::No => SendFlags::DONTWAIT,
        };
        loop {
            match rights::send(self.0.as_fd(), bytes, handles, flags)? {
                Err(Errno::INTR) => {}
                // A peer that died with unread packets shows as a reset.
                Err(Errno::CONNRESET | Errno::NOTCONN) => return Err(io::ErrorKind::BrokenPipe.into()),
                done => return Ok(done?),
            }
        }
    }

    /// Receives one packet and appends the handles that came along. Zero means that the peer is gone and everything it
    /// sent was read.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when the packet is longer than `bytes`, [`io::ErrorKind::QuotaExceeded`] when handles
    /// were lost on the way: this process has no room for them. The packet is gone then; what there is room for is in `bytes`.
    ///
    /// # Blocking and death
    /// Waits if `patient`.
    pub fn receive(
        &self,
        bytes: &mut [u8],
        handles: &mut Vec<Handle>,
        patient: Patient,
    ) -> io::Result<usize> {
        if LETTERS {
            letter::receive(self, bytes, handles, patient)
        } else {
            self.receive_once(bytes, handles, patient)
        }
    }

    /// Receives what comes at once.
    pub(super) fn receive_once(
        &self,
        bytes: &mut [u8],
        handles: &mut Vec<Handle>,
        patient: Patient,
    ) -> io::Result<usize> {
        let before = handles.len();
        let (len, flags) = loop {
            match rights::receive(self.0.as_fd(), bytes, handles, patient.flags()) {
                // The reset says once that the peer died with unread packets; what it sent is still there to be read.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                done => break done?,
            }
        };
        if flags.intersects(ReturnFlags::CTRUNC | ReturnFlags::TRUNC) {
            handles.truncate(before);
            let (kind, why) = if flags.contains(ReturnFlags::CTRUNC) {
                (
                    io::ErrorKind::QuotaExceeded,
                    "this process has no descriptors left for what came with the message, which is lost",
                )
            } else {
                (io::ErrorKind::InvalidData, "a part of the packet was lost on the way")
            };
            return Err(io::Error::new(kind, why));
        }
        Ok(len)
    }

    /// The first bytes of the next packet, which stays; how many there are. Zero as in [`receive`](Self::receive).
    ///
    /// # Blocking and death
    /// Waits if `patient`.
    pub fn peek(&self, bytes: &mut [u8], patient: Patient) -> io::Result<usize> {
        if LETTERS { letter::peek(self, bytes, patient) } else { self.peek_once(bytes, patient) }
    }

    /// Looks at what comes next.
    pub(super) fn peek_once(&self, bytes: &mut [u8], patient: Patient) -> io::Result<usize> {
        let flags = RecvFlags::PEEK | patient.flags();
        loop {
            match recv(&self.0, &mut *bytes, flags) {
                Err(Errno::INTR | Errno::CONNRESET) => {}
                done => return Ok(done?.0),
            }
        }
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
}

impl Patient {
    fn flags(self) -> RecvFlags {
        match self {
            Self::Yes => RecvFlags::empty(),
            Self::No => RecvFlags::DONTWAIT,
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
