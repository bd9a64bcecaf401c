//! One end of a connected pair: what pipes and duplexes are made of.
//!
//! A packet is a head of nine bytes (what it is, how long) and the bytes, or the descriptor of the memory with them.
//!
//! | `moved` | by | goes to | when |
//! |---|---|---|---|
//! | false here | who encodes it | true | a copy of its descriptor was put into a value |
//! | true | who sends that value | true | it is on its way: this end holds a dead descriptor from then on |
//! | true | the same | false | it goes nowhere |

use super::parcel::{Content, Parcel};
use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::raw::linger::Linger;
use crate::sys::packet::{Packets, Patient};
use crate::sys::{self, BorrowedHandle, Handle, poller};
use crate::wire::handles::{self, Leaves, Leaving};
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Bytes of a packet before the message.
const HEAD_BYTES: usize = 9;

/// Set in the first byte of a packet whose bytes lie in memory of their own.
const SPILLED: u8 = 2;

thread_local! {
    /// Where packets are received, kept from one to the next.
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// An end. One process has it; sending it moves it.
#[derive(Debug)]
pub struct End {
    line: Arc<Line>,
    /// Longer messages are refused.
    max_len: u64,
}

/// The connection of an end.
#[derive(Debug)]
struct Line {
    packets: Packets,
    moved: AtomicBool,
    /// Whether who waits for a message looks for it before it sleeps.
    linger: Linger,
}

impl Leaves for Line {
    fn go(&self) {
        // Without a descriptor for a dead one the end keeps its own, and that closes when it is dropped.
        let _ = self.packets.let_go();
    }

    fn stay(&self) {
        // PAIR: `is_here`.
        self.moved.store(false, Relaxed);
    }
}

/// How long to wait for room before it is looked at again: any time that a system can count.
const LONGEST_LOOK: Duration = Duration::from_secs(3600);

/// How long to wait for a message, or for room for one.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// Not at all.
    No,
    /// At most so long.
    AtMost(Duration),
    /// Until it comes.
    Forever,
}

impl Wait {
    /// Whether the system does the waiting.
    fn patient(self) -> Patient {
        if matches!(self, Self::Forever) { Patient::Yes } else { Patient::No }
    }
}

impl End {
    /// Two connected ends.
    pub fn pair() -> Result<(Self, Self), Error> {
        let (one, other) =
            Packets::pair().map_err(|error| Error::os("cannot make a pair of connected sockets", error))?;
        Ok((Self::new(one, limits::PAYLOAD_BYTES_MAX), Self::new(other, limits::PAYLOAD_BYTES_MAX)))
    }

    fn new(packets: Packets, max_len: u64) -> Self {
        Self {
            line: Arc::new(Line { packets, moved: AtomicBool::new(false), linger: Linger::default() }),
            max_len,
        }
    }

    /// Refuses longer messages from now on.
    pub fn limit(&mut self, max_len: u64) {
        self.max_len = max_len;
    }

    /// The descriptor. It stays open while this end lives.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.line.packets.handle()
    }

    /// Sends a message.
    pub fn send(&self, parcel: Parcel, wait: Wait) -> Result<(), Error> {
        self.is_here()?;
        let mut head = [0; HEAD_BYTES];
        head[0] = match parcel.content {
            Content::Value => 0,
            Content::Bytes => 1,
        };
        if parcel.spilled.is_some() {
            head[0] |= SPILLED;
        }
        head[1..].copy_from_slice(&parcel.len().to_le_bytes());
        let handles: Vec<_> = parcel.handles.iter().map(sys::borrow).collect();
        let parts = [IoSlice::new(&head), IoSlice::new(&parcel.bytes)];
        self.until_sent(wait, |patient| self.line.packets.send(&parts, &handles, patient))?;
        parcel.leaving.go();
        Ok(())
    }

    /// Runs `send` until there was room for it or the wait is over.
    fn until_sent(&self, wait: Wait, send: impl Fn(Patient) -> io::Result<()>) -> Result<(), Error> {
        let mut began = None;
        loop {
            let Err(error) = send(wait.patient()) else { return Ok(()) };
            match error.kind() {
                io::ErrorKind::WouldBlock => {}
                io::ErrorKind::BrokenPipe => {
                    self.is_here()?;
                    return Err(Error::new(
                        ErrorKind::Closed,
                        "the message cannot be sent: its receiver is gone",
                    ));
                }
                _ => return Err(Error::os("cannot send a message", error)),
            }
            let Wait::AtMost(timeout) = wait else {
                return Err(Error::new(ErrorKind::Full, "the message cannot be sent now: the pipe is full"));
            };
            let left = timeout.saturating_sub(began.get_or_insert_with(Instant::now).elapsed());
            if left.is_zero() {
                let message = format!(
                    "the message was not sent: the pipe was full, and had no room within {timeout:?}"
                );
                return Err(Error::new(ErrorKind::TimedOut, message));
            }
            let room = self.line.packets.wait_for_room(left.min(LONGEST_LOOK));
            room.map_err(|error| Error::os("cannot wait", error))?;
        }
    }

    /// The next message.
    pub fn receive(&self, wait: Wait) -> Result<Parcel, Error> {
        self.is_here()?;
        let mut room = ROOM.take();
        room.resize(HEAD_BYTES + limits::PACKET_BYTES_MAX, 0);
        let mut handles = Vec::new();
        let received =
            self.waiting(wait, |patient| self.line.packets.receive(&mut room, &mut handles, patient));
        let parcel = received.and_then(|len| self.open(&room[..len], handles));
        ROOM.set(room);
        parcel
    }

    /// How many bytes the next message has. It stays.
    pub fn next_len(&self) -> Result<u64, Error> {
        self.is_here()?;
        let mut head = [0; HEAD_BYTES];
        let len = self.waiting(Wait::Forever, |patient| self.line.packets.peek(&mut head, patient))?;
        Ok(read_head(&head[..len])?.1)
    }

    /// Whether a message, or the news that none will come, is there within `timeout`.
    pub fn poll(&self, timeout: Duration) -> Result<bool, Error> {
        self.is_here()?;
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let ready =
                poller::ready(self.handle(), left).map_err(|error| Error::os("cannot wait", error))?;
            if ready || left.is_some_and(|left| left.is_zero()) {
                return Ok(ready);
            }
        }
    }

    /// For `Serialize`: moves the end into the value that is being encoded.
    pub fn depart(&self) -> Result<(u32, u64), String> {
        // PAIR: `is_here`; who comes between meets the dead descriptor, and asks again when that fails.
        if self.line.moved.swap(true, Relaxed) {
            return Err(Error::sent_away().to_string());
        }
        match handles::give_away(self.handle(), self.line.clone()) {
            Ok(place) => Ok((place, self.max_len)),
            Err(error) => {
                self.line.stay();
                Err(error.to_string())
            }
        }
    }

    /// For `Deserialize`: the end that arrived with a value.
    pub fn arrive((place, max_len): (u32, u64)) -> Result<Self, String> {
        let handle = handles::take(place).map_err(|error| error.to_string())?;
        Ok(Self::new(Packets::from_handle(handle), max_len))
    }

    fn is_here(&self) -> Result<(), Error> {
        // PAIR: the swap in `depart`, and `stay`.
        if self.line.moved.load(Relaxed) {
            return Err(Error::sent_away());
        }
        Ok(())
    }

    /// Runs `read` until it has something or the wait is over. Nothing at all is the end of the pipe.
    fn waiting(
        &self,
        wait: Wait,
        mut read: impl FnMut(Patient) -> io::Result<usize>,
    ) -> Result<usize, Error> {
        let began = Instant::now();
        let mut soon = None;
        if !matches!(wait, Wait::No | Wait::AtMost(Duration::ZERO)) {
            self.line.linger.until_called(|| {
                soon = Some(read(Patient::No)).filter(|read| !would_block(read));
                soon.is_some()
            });
        }
        loop {
            match soon.take().unwrap_or_else(|| read(wait.patient())) {
                Ok(0) => {
                    self.is_here()?;
                    return Err(Error::new(ErrorKind::Closed, "no more messages: the sender is gone"));
                }
                Ok(len) => return Ok(len),
                blocked if would_block(&blocked) => {}
                Err(error) => return Err(Error::os("cannot receive a message", error)),
            }
            match wait {
                Wait::No | Wait::Forever => {
                    return Err(Error::new(ErrorKind::Empty, "there is no message now"));
                }
                Wait::AtMost(timeout) => {
                    let left = timeout.saturating_sub(began.elapsed());
                    if left.is_zero() {
                        let message = format!("no message came within {timeout:?}");
                        return Err(Error::new(ErrorKind::TimedOut, message));
                    }
                    poller::ready(self.handle(), Some(left))
                        .map_err(|error| Error::os("cannot wait", error))?;
                }
            }
        }
    }

    fn open(&self, packet: &[u8], handles: Vec<Handle>) -> Result<Parcel, Error> {
        let (kind, len) = read_head(packet)?;
        if len > self.max_len {
            let message =
                format!("a message of {len} bytes is longer than the {} allowed here", self.max_len);
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let content = if kind & 1 == 0 { Content::Value } else { Content::Bytes };
        let spilled = (kind & SPILLED != 0).then_some(len);
        let mut parcel = Parcel { content, bytes: Vec::new(), handles, spilled, leaving: Leaving::default() };
        parcel.bytes.extend_from_slice(&packet[HEAD_BYTES..]);
        parcel.unspill()?;
        Ok(parcel)
    }
}

fn would_block(read: &io::Result<usize>) -> bool {
    read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

fn read_head(packet: &[u8]) -> Result<(u8, u64), Error> {
    match packet.first_chunk::<HEAD_BYTES>() {
        Some([kind, len @ ..]) => Ok((*kind, u64::from_le_bytes(*len))),
        None => Err(Error::new(ErrorKind::Decode, "a packet is shorter than its head")),
    }
}
