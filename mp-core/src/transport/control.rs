//! Whole messages over the control socket.

use crate::limits;
use crate::sys::socket::{Received, Socket};
use crate::sys::{BorrowedHandle, Handle};
use crate::wire::codec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, IoSlice};

/// Writes one message with its descriptors.
///
/// # Errors
/// On a socket that does not block, `WouldBlock` if there is no room now: nothing was sent. If there is room for the
/// start only, it waits for the rest.
pub fn send<T: Serialize>(socket: &Socket, message: &T, handles: &[BorrowedHandle<'_>]) -> io::Result<()> {
    let mut frame = vec![0; 4];
    codec::encode(message, &mut frame).map_err(|error| io::Error::other(error.to_string()))?;
    let len = frame.len() - 4;
    if len > limits::CONTROL_FRAME_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "a control frame of {len} bytes is longer than {} bytes",
                limits::CONTROL_FRAME_BYTES_MAX
            ),
        ));
    }
    frame[..4].copy_from_slice(&(len as u32).to_le_bytes());
    let mut rest = frame.as_slice();
    let mut handles = handles;
    while !rest.is_empty() {
        match socket.send(&[IoSlice::new(rest)], handles) {
            Ok(sent) => {
                rest = &rest[sent..];
                handles = &[];
            }
            // Half a message cannot be taken back.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && rest.len() < frame.len() => {
                if !socket.wait_for_room(limits::HALF_A_MESSAGE)? {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "its peer has stopped reading"));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The message that is there to be read, which stays there. It must have come as a whole, and without descriptors.
pub fn look<T: DeserializeOwned>(socket: &Socket) -> io::Result<T> {
    let mut bytes = [0; 256];
    let count = socket.peek(&mut bytes)?;
    let frame = bytes[..count].split_first_chunk::<4>().ok_or(io::ErrorKind::UnexpectedEof)?;
    let body = frame.1.get(..u32::from_le_bytes(*frame.0) as usize).ok_or(io::ErrorKind::UnexpectedEof)?;
    codec::decode(body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
}

/// Reads some bytes, and the descriptors that come with them.
trait Read: FnMut(&mut [u8], &mut Vec<Handle>) -> io::Result<Received> {}

impl<F: FnMut(&mut [u8], &mut Vec<Handle>) -> io::Result<Received>> Read for F {}

/// The descriptors of a message.
///
/// # Errors
/// Of kind [`QuotaExceeded`](io::ErrorKind::QuotaExceeded) when there was no room for them in this process. The message is whole.
pub type Arrived = io::Result<Vec<Handle>>;

/// Puts messages together out of what the socket gives. It reads exactly up to the end of a message, so the
/// descriptors that come with it are that message's.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    filled: usize,
    handles: Vec<Handle>,
    has_lost: bool,
}

impl Inbox {
    /// The next message and its descriptors; `None` if it has not arrived in full (on a socket that does not block).
    /// The end of the stream is an `UnexpectedEof` error.
    pub fn receive<T: DeserializeOwned>(&mut self, socket: &Socket) -> io::Result<Option<(T, Arrived)>> {
        self.next(|bytes, handles| socket.receive(bytes, handles))
    }

    /// The same, without waiting on any socket.
    pub fn receive_now<T: DeserializeOwned>(&mut self, socket: &Socket) -> io::Result<Option<(T, Arrived)>> {
        self.next(|bytes, handles| socket.receive_now(bytes, handles))
    }

    fn next<T: DeserializeOwned>(&mut self, mut read: impl Read) -> io::Result<Option<(T, Arrived)>> {
        if !self.fill(&mut read, 4)? {
            return Ok(None);
        }
        let len = self.bytes.first_chunk::<4>().map_or(0, |head| u32::from_le_bytes(*head)) as usize;
        if len > limits::CONTROL_FRAME_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a control frame claims {len} bytes"),
            ));
        }
        if !self.fill(&mut read, 4 + len)? {
            return Ok(None);
        }
        let message = codec::decode(&self.bytes[4..]).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("a control frame is garbled: {error}"))
        })?;
        self.bytes.clear();
        self.filled = 0;
        let handles = std::mem::take(&mut self.handles);
        let arrived = if std::mem::take(&mut self.has_lost) { Err(no_room()) } else { Ok(handles) };
        Ok(Some((message, arrived)))
    }

    /// Reads until the frame has `target` bytes; false if the socket has no more for now.
    fn fill(&mut self, read: &mut impl Read, target: usize) -> io::Result<bool> {
        if self.bytes.len() < target {
            self.bytes.resize(target, 0);
        }
        while self.filled < target {
            match read(&mut self.bytes[self.filled..target], &mut self.handles) {
                Ok(Received { bytes: 0, .. }) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(Received { bytes, has_lost }) => {
                    self.filled += bytes;
                    self.has_lost |= has_lost;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
            if self.handles.len() > limits::CONTROL_HANDLES_MAX {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a control frame carries too many descriptors",
                ));
            }
        }
        Ok(true)
    }
}

/// What is said of descriptors that this process has no room for.
pub fn no_room() -> io::Error {
    io::Error::new(io::ErrorKind::QuotaExceeded, "this process has no descriptors left for what it was sent")
}

/// Whether that, or something like it, is what happened, and not what the system calls by this name.
pub fn is_no_room(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::QuotaExceeded && error.raw_os_error().is_none()
}
