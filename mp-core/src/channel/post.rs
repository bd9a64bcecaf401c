//! What a queue is made of, without its type: the ring, what travels beside it, and the bell.
//!
//! ```text
//!  put  parcel ─► ring ─────────────────────────────────► parcel  get
//!          └ descriptors, long messages ─► sockets, by tag ─┘
//! ```
//! A bundle is sent under the producers' lock before its message is committed and received under the consumers' lock
//! before it is taken, so both come in the same order. A bundle whose producer was killed before the commit has a tag that
//! no message has; a message whose bundle was taken by a consumer that was killed before the commit is skipped.

use super::end::Wait;
use super::parcel::{Content, Parcel};
use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::shm::backlog::{Backlog, Popped, Pushed, Shape};
use crate::sys::bell::Bell;
use crate::sys::packet::{Packets, Patient};
use crate::sys::{self, Handle};
use crate::wire::handles::{self, Leaving};
use std::cell::LazyCell;
use std::io::{self, IoSlice};
use std::time::{Duration, Instant};

/// Stands for "not spilled" in a bundle.
const INLINE: u64 = u64::MAX;

/// How a queue looks in a value: the places of its handles, and its shape.
pub type Address = ([u32; 4], u32, u32);

/// A queue as one process sees it.
#[derive(Debug)]
pub struct Post {
    backlog: Backlog,
    outgoing: Packets,
    incoming: Packets,
    bell: Bell,
}

/// What came beside a message.
pub struct Beside {
    handles: Vec<Handle>,
    spilled: Option<u64>,
}

impl Post {
    /// An empty queue.
    pub fn create(shape: Shape) -> Result<Self, Error> {
        let made = || {
            let (outgoing, incoming) = Packets::pair()?;
            Ok(Self { backlog: Backlog::create(shape)?, outgoing, incoming, bell: Bell::new()? })
        };
        let bytes = shape.ring_bytes;
        made().map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::OutOfMemory => Error::os(
                format!("cannot make a queue: no room for {bytes} bytes of addresses, `QueueBuilder::bytes` asks for less"),
                error,
            ),
            _ => Error::os("cannot make a queue", error),
        })
    }

    /// For `Serialize`.
    pub fn give(&self) -> Result<Address, String> {
        let give = |handle| handles::give(handle).map_err(|error| error.to_string());
        let places = [
            give(self.backlog.handle())?,
            give(self.outgoing.handle())?,
            give(self.incoming.handle())?,
            give(self.bell.handle())?,
        ];
        let shape = self.backlog.shape();
        Ok((places, shape.items, shape.ring_bytes))
    }

    /// For `Deserialize`.
    pub fn take((places, items, ring_bytes): Address) -> Result<Self, String> {
        let take = |place| handles::take(place).map_err(|error| error.to_string());
        let [backlog, outgoing, incoming, bell] = places;
        let backlog = Backlog::attach(take(backlog)?, Shape { items, ring_bytes });
        Ok(Self {
            backlog: backlog.map_err(|error| format!("a queue cannot be mapped: {error}"))?,
            outgoing: Packets::from_handle(take(outgoing)?),
            incoming: Packets::from_handle(take(incoming)?),
            bell: Bell::from_handle(take(bell)?),
        })
    }

    /// The counts and the waiting for the end of work.
    pub fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// Rings when a message comes, for who said [`Backlog::watch`].
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Puts a message in: these bytes, and what belongs to them.
    pub fn put(&self, bytes: &mut Vec<u8>, handles: Vec<Handle>, wait: Wait) -> Result<(), Error> {
        if handles.is_empty() && bytes.len() <= self.backlog.inline_max() {
            return self.push(bytes, None, wait);
        }
        self.put_parcel(Parcel::of_encoded(bytes, handles, self.backlog.inline_max())?, wait)
    }

    /// Puts a message in.
    pub fn put_parcel(&self, parcel: Parcel, wait: Wait) -> Result<(), Error> {
        self.push(&parcel.bytes, Some(&parcel).filter(|parcel| !parcel.handles.is_empty()), wait)?;
        parcel.leaving.go();
        Ok(())
    }

    fn push(&self, bytes: &[u8], bundle: Option<&Parcel>, wait: Wait) -> Result<(), Error> {
        // A queue without a bound never waits: there may be nobody else who makes room.
        let endless = self.backlog.shape().items == limits::QUEUE_ITEMS_MAX;
        let wait = if endless { Wait::No } else { wait };
        let began = LazyCell::new(Instant::now);
        loop {
            let send = bundle.map(|parcel| |tag| self.send_beside(tag, parcel));
            let pushed = self.backlog.push(bytes, send, || deadline(wait, *began));
            let beside =
                match pushed.map_err(|error| Error::os("cannot put a message into a queue", error))? {
                    Pushed::Done { watched } => {
                        if watched {
                            self.bell.ring();
                        }
                        return Ok(());
                    }
                    Pushed::Closed => {
                        let message = "the message cannot be put: the queue was shut down";
                        return Err(Error::new(ErrorKind::Closed, message));
                    }
                    Pushed::NoRoom => false,
                    Pushed::NoRoomBeside => true,
                };
            let full = if beside {
                "there is no room in the queue now for one more message that is long or holds handles"
            } else {
                "there is no room in the queue now"
            };
            let left = left(wait, &began, full, ErrorKind::Full)?;
            if beside {
                let left = left.map_or(limits::LOOK_AGAIN, |left| left.min(limits::LOOK_AGAIN));
                let room = self.outgoing.wait_for_room(left);
                room.map_err(|error| Error::os("cannot wait for room in a queue", error))?;
            } else {
                self.backlog.wait_for_room(bytes.len(), left);
            }
        }
    }

    /// Takes the next message: its bytes, and what came beside them.
    pub fn get(&self, bytes: &mut Vec<u8>, wait: Wait) -> Result<Option<Box<Beside>>, Error> {
        let began = LazyCell::new(Instant::now);
        loop {
            let popped = self.backlog.pop(bytes, |tag| self.receive_beside(tag), || deadline(wait, *began));
            if matches!(popped, Ok(Popped::Frame(_)) | Err(_)) {
                self.backlog.pass_on();
            }
            match popped.map_err(|error| Error::os("cannot get a message from a queue", error))? {
                Popped::Frame(beside) => return Ok(beside),
                Popped::Closed => {
                    return Err(Error::new(ErrorKind::Closed, "no more messages: the queue was shut down"));
                }
                Popped::Empty => {}
            }
            let left = left(wait, &began, "there is no message now", ErrorKind::Empty)?;
            self.backlog.wait_for_message(left);
        }
    }

    /// Closes the descriptors of messages that nobody will get. Beside a consumer that was stopped in the middle they stay until the
    /// queue goes.
    pub fn discard_bundles(&self) -> io::Result<()> {
        self.backlog.between_bundles(Instant::now() + limits::QUEUE_LOOK, || {
            let (mut bundle, mut handles) = ([0; 16], Vec::new());
            loop {
                match self.incoming.receive(&mut bundle, &mut handles, Patient::No) {
                    Ok(0) => break,
                    Ok(_) => handles.clear(),
                    // One with more than there is room for here is gone as well.
                    Err(error) if error.kind() == io::ErrorKind::QuotaExceeded => {}
                    Err(_) => break,
                }
            }
        })
    }

    fn send_beside(&self, tag: u64, parcel: &Parcel) -> io::Result<()> {
        let (tag, spilled) = (tag.to_le_bytes(), parcel.spilled.unwrap_or(INLINE).to_le_bytes());
        let handles: Vec<_> = parcel.handles.iter().map(sys::borrow).collect();
        self.outgoing.send(&[IoSlice::new(&tag), IoSlice::new(&spilled)], &handles, Patient::No)
    }

    /// The bundle with this tag; `None` if it is gone.
    fn receive_beside(&self, tag: u64) -> io::Result<Option<Box<Beside>>> {
        loop {
            let mut seen = [0; 8];
            match self.incoming.peek(&mut seen, Patient::No) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                peeked => peeked?,
            };
            if u64::from_le_bytes(seen) > tag {
                return Ok(None);
            }
            let (mut bundle, mut handles) = ([0; 16], Vec::new());
            self.incoming.receive(&mut bundle, &mut handles, Patient::No)?;
            if u64::from_le_bytes(seen) == tag {
                let spilled = bundle.last_chunk().map_or(INLINE, |spilled| u64::from_le_bytes(*spilled));
                let spilled = (spilled != INLINE).then_some(spilled);
                return Ok(Some(Box::new(Beside { handles, spilled })));
            }
        }
    }
}

impl Beside {
    /// The message that it belongs to.
    pub fn join(self, bytes: Vec<u8>) -> Result<Parcel, Error> {
        let Self { handles, spilled } = self;
        let mut parcel =
            Parcel { content: Content::Value, bytes, handles, spilled, leaving: Leaving::default() };
        parcel.unspill()?;
        Ok(parcel)
    }
}

/// Until when to wait for a lock that is held for a look only.
fn deadline(wait: Wait, began: Instant) -> Option<Instant> {
    match wait {
        Wait::No => Some(began + limits::QUEUE_LOOK),
        Wait::AtMost(timeout) => began.checked_add(timeout.max(limits::QUEUE_LOOK)),
        Wait::Forever => None,
    }
}

/// How long the wait goes on.
fn left(wait: Wait, began: &Instant, not_now: &str, kind: ErrorKind) -> Result<Option<Duration>, Error> {
    match wait {
        Wait::No => Err(Error::new(kind, not_now)),
        Wait::Forever => Ok(None),
        Wait::AtMost(timeout) => match timeout.saturating_sub(began.elapsed()) {
            Duration::ZERO => Err(Error::new(
                ErrorKind::TimedOut,
                format!("it could not be done within {timeout:?}: {not_now}"),
            )),
            left => Ok(Some(left)),
        },
    }
}
