//! A connected pair of byte streams that also carry handles.

use super::platform::socket_flags::close_on_exec_pair;
use super::{BorrowedHandle, Handle, rights};
use rustix::io::Errno;
use rustix::net::{RecvFlags, ReturnFlags, SendFlags, recv};
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::process::Stdio;

/// Handles that one [`Socket::send`] may carry.
pub const HANDLES_MAX: usize = rights::HANDLES_MAX;

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many bytes.
    pub bytes: usize,
    /// Whether the handles that came along were lost: this process has no room for all of them, and got none.
    pub has_lost: bool,
}

/// One end of a connected pair (`AF_UNIX`, `SOCK_STREAM`, closed on exec).
#[derive(Debug)]
pub struct Socket(Handle);

impl Socket {
    /// Whether handles may be sent before there is a process to receive them, by one that ends before they are received.
    pub const CARRIES_TO_NOBODY: bool = true;

    /// Two connected ends.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = close_on_exec_pair()?;
        Ok((Self(one), Self(other)))
    }

    /// Takes a descriptor that is known to be such a socket.
    pub fn from_handle(handle: Handle) -> Self {
        Self(handle)
    }

    /// The descriptor, to be polled.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.0.as_fd()
    }

    /// The descriptor, kept open by the caller from now on.
    pub fn into_handle(self) -> Handle {
        self.0
    }

    /// This end as a standard stream of a child.
    pub fn into_stdio(self) -> Stdio {
        Stdio::from(self.0)
    }

    /// Makes calls that would wait fail with [`io::ErrorKind::WouldBlock`] instead, or back.
    pub fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(&self.0, on)?)
    }

    /// Waits until something can be sent or the peer is gone; false if the time is over first.
    pub fn wait_for_room(&self, timeout: std::time::Duration) -> io::Result<bool> {
        let timeout = timeout.try_into().map_err(io::Error::other)?;
        let mut polled = [rustix::event::PollFd::new(&self.0, rustix::event::PollFlags::OUT)];
        match rustix::event::poll(&mut polled, Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a part of `bytes`, at least one, and with the first of them all of `handles`. Returns how many bytes went
    /// out; the rest is the caller's to send again, without the handles.
    ///
    /// # Blocking and death
    /// Waits for room unless the socket is nonblocking. A peer that is gone is [`io::ErrorKind::BrokenPipe`], without
    /// a signal.
    pub fn send(&self, bytes: &[IoSlice<'_>], handles: &[BorrowedHandle<'_>]) -> io::Result<usize> {
        if handles.len() > HANDLES_MAX || (!handles.is_empty() && bytes.iter().all(|part| part.is_empty())) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "handles need a byte to travel on, and are limited to 253 at once",
            ));
        }
        loop {
            match rights::send(self.0.as_fd(), bytes, handles, SendFlags::empty())? {
                Err(Errno::INTR) => {}
                done => return Ok(done?),
            }
        }
    }

    /// Lets the peer hear the end, though this end stays open.
    pub fn hang_up(&self) {
        // One that is gone hears nothing any more.
        let _ = rustix::net::shutdown(&self.0, rustix::net::Shutdown::Write);
    }

    /// What there is to receive, without receiving it. Zero means that the peer is gone and everything it sent was read.
    pub fn peek(&self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match recv(&self.0, &mut *bytes, RecvFlags::PEEK) {
                Err(Errno::INTR) => {}
                done => return Ok(done?.0),
            }
        }
    }

    /// Receives what is there, at least one byte, and appends the handles that came along. Zero means that the peer
    /// is gone and everything it sent was read.
    ///
    /// # Blocking and death
    /// Waits unless the socket is nonblocking. A peer that died with unread bytes may show as
    /// [`io::ErrorKind::ConnectionReset`].
    pub fn receive(&self, bytes: &mut [u8], handles: &mut Vec<Handle>) -> io::Result<Received> {
        self.receive_with(bytes, handles, RecvFlags::empty())
    }

    /// The same, without waiting, whatever the socket does otherwise.
    pub fn receive_now(&self, bytes: &mut [u8], handles: &mut Vec<Handle>) -> io::Result<Received> {
        self.receive_with(bytes, handles, RecvFlags::DONTWAIT)
    }

    fn receive_with(
        &self,
        bytes: &mut [u8],
        handles: &mut Vec<Handle>,
        flags: RecvFlags,
    ) -> io::Result<Received> {
        loop {
            match rights::receive(self.0.as_fd(), bytes, handles, flags) {
                Err(Errno::INTR) => {}
                done => {
                    let (bytes, flags) = done?;
                    return Ok(Received { bytes, has_lost: flags.contains(ReturnFlags::CTRUNC) });
                }
            }
        }
    }
}
