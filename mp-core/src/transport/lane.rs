//! The parent's end of the way to one worker.
//!
//! What comes from the worker is checked here: bytes are copied out before anybody looks at them, lengths are held
//! against limits, and anything that no worker of ours would send is a [`Violation`], after which the worker is killed.

use super::bundles::{self, Sending};
use super::carried::Carried;
use super::control::{self, Arrived, Inbox};
use super::known::Known;
use super::long::LongResults;
pub use super::response::{Response, ResponseKind, Violation, is_plain};
use crate::check::never;
use crate::ids::CallSeq;
use crate::limits;
use crate::protocol::control::{ToParent, ToWorker};
use crate::protocol::frame::{CARRIES, SPILLED, Spilled, request, response};
use crate::raw::sleep::{Found, Patience};
use crate::shm::frame::{FrameHead, split_frame, split_word};
use crate::shm::notes::LastWords;
use crate::shm::recorder::ParentRecorder;
use crate::shm::region::{ParentEnd, Region};
use crate::shm::ring::PushError;
use crate::shm::slab::Slab;
use crate::sys::fault::Fault;
use crate::sys::socket::Socket;
use crate::sys::{self, BorrowedHandle, Handle};
use std::io;

/// The socket, the rings and the slabs of one worker.
#[derive(Debug)]
pub struct Lane {
    socket: Socket,
    inbox: Inbox,
    end: ParentEnd,
    /// How many responses were taken.
    taken: u64,
    /// The call of the last of them.
    answered: CallSeq,
    /// Slabs that the worker holds.
    known: Known,
    /// Results that lie in a slab of the worker's.
    long: LongResults,
    carried: Carried,
    /// Where descriptors of calls go.
    bundles: Sending,
    hung_up: bool,
}

/// How much of a ring is copied at once, in bytes, and how much of that for each result that may be in it.
const RUN_BYTES: usize = 32 << 10;
const RUN_BYTES_EACH: usize = 64;

/// No response is shorter.
const RESPONSE_BYTES_MIN: u64 = 8;

/// How long the payload of a call is whose arguments lie in a slab.
const SPILLED_CALL_BYTES: usize = 20;

impl Lane {
    /// A lane to a worker that has been told of `region`.
    pub fn new(socket: Socket, region: Region) -> Self {
        let end = region.into_parent();
        Self {
            socket,
            inbox: Inbox::default(),
            end,
            taken: 0,
            answered: CallSeq(0),
            known: Known::default(),
            long: LongResults::default(),
            carried: Carried::default(),
            bundles: Sending::default(),
            hung_up: false,
        }
    }

    /// Readable when the worker has sent a message or is gone.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.socket.handle()
    }

    /// Hands over calls whose items are packed in `payload` (see [`crate::protocol::frame`]); [`wake`](Self::wake) is
    /// to follow. False if there is no room.
    pub fn call(&mut self, seq: CallSeq, count: u16, payload: &[&[u8]]) -> bool {
        self.push(FrameHead { kind: request::CALL, flags: 0, count, seq: seq.0 }, payload)
    }

    /// Hands over calls whose arguments have descriptors, the same for all of them. False if there is no room.
    pub fn call_carrying(
        &mut self,
        (seq, count): (CallSeq, u16),
        payload: &[&[u8]],
        handles: &[Handle],
    ) -> io::Result<bool> {
        let flags = if handles.is_empty() { 0 } else { CARRIES };
        let sent = self.end.requests.is_ready(payload.iter().map(|part| part.len()).sum())
            && self.send_handles(seq, handles)?;
        Ok(sent && self.push_now(FrameHead { kind: request::CALL, flags, count, seq: seq.0 }, payload))
    }

    /// Hands over one call whose arguments lie in a slab. False if there is no room in the ring.
    pub fn spilled_call(
        &mut self,
        seq: CallSeq,
        slot: u32,
        (slab, len): (&Slab, u64),
        handles: &[Handle],
    ) -> io::Result<bool> {
        let id = slab.id();
        if !self.end.requests.is_ready(SPILLED_CALL_BYTES) {
            return Ok(false);
        }
        if !self.known.has(id, slab.len()) {
            if !self.send_now(&ToWorker::Slab { id, len: slab.len() as u64 }, &[slab.handle()])? {
                return Ok(false);
            }
            self.known.sent(id, slab.len());
        }
        // Last: the number is free for another call if this one is not handed over.
        if !self.send_handles(seq, handles)? {
            return Ok(false);
        }
        let flags = if handles.is_empty() { SPILLED } else { SPILLED | CARRIES };
        let head = FrameHead { kind: request::CALL, flags, count: 1, seq: seq.0 };
        let pushed = self.push_now(head, &[&slot.to_le_bytes(), &Spilled { slab: id, len }.to_bytes()]);
        if pushed {
            self.known.used(id, seq);
        }
        Ok(pushed)
    }

    /// Asks the worker to leave when it has done what it was handed. False if there is no room.
    pub fn quit(&mut self) -> bool {
        self.push_now(FrameHead { kind: request::QUIT, flags: 0, count: 0, seq: 0 }, &[])
    }

    /// Wakes the worker if it sleeps: [calls](Self::call) have been handed over.
    pub fn wake(&self) {
        self.end.shared.worker_sleep.notify_from(self.end.shared.parent_sleep.word());
    }

    /// A slab is gone: the worker may unmap it when it has ended the calls that refer to it.
    pub fn forget(&mut self, slab: u64) {
        self.known.forget(slab);
        self.part();
    }

    /// Tells the worker of slabs that are gone, and that none of its calls refers to any more.
    fn part(&mut self) {
        while let Some(id) = self.known.next_gone(self.answered) {
            self.tell(&ToWorker::Forget { id });
        }
    }

    /// Lets the worker outlive this process.
    pub fn detach(&self) -> io::Result<()> {
        control::send(&self.socket, &ToWorker::Detach, &[])
    }

    /// Has the worker end itself.
    pub fn hang_up(&self) {
        self.socket.hang_up();
    }

    /// The next message on the control socket. A slab is kept here.
    pub fn next_message(&mut self) -> Result<Option<ToParent>, Violation> {
        match self.inbox.receive(&self.socket) {
            Ok(None) => Ok(None),
            Ok(Some((message, arrived))) => {
                self.keep(&message, arrived)?;
                Ok(Some(message))
            }
            // Its death is reported by other means.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) =>
            {
                self.hung_up = true;
                Ok(None)
            }
            Err(error) => Err(Violation::new(error.to_string())),
        }
    }

    /// Keeps what came with a message.
    fn keep(&mut self, message: &ToParent, arrived: Arrived) -> Result<(), Violation> {
        match message {
            ToParent::Slab { id } => {
                // The lack is ours, and not its fault: all that it will ever say by this slab is lost.
                let arrived = arrived.map_err(|why| Violation(format!("its parent killed it: {why}")))?;
                let handle = arrived.into_iter().next_back();
                let handle = handle.ok_or_else(|| Violation::new("a slab message without its descriptor"))?;
                self.long.lie_in(*id, handle);
            }
            ToParent::Handles { call } => self.carried.keep(CallSeq(*call), arrived),
            _ => {}
        }
        Ok(())
    }

    /// Whether the other end is closed and everything that was said has been read.
    pub fn is_hung_up(&self) -> bool {
        self.hung_up
    }

    /// Appends plain results of the calls from `first` on, at most `limit` of them, to `out`, in the frames in which they
    /// came. Says how many; none if something else is next.
    pub fn take_returned(&mut self, first: CallSeq, limit: u64, out: &mut Vec<u8>) -> u64 {
        let start = out.len();
        let piece = usize::try_from(limit).map_or(RUN_BYTES, |limit| RUN_BYTES.min(limit * RUN_BYTES_EACH));
        if self.end.responses.copy_piece(piece, out).is_err() {
            // Found out when it is looked at alone.
            return 0;
        }
        let mut rest = &out[start..];
        let mut calls = 0;
        loop {
            // Most are one word, and about the next call.
            if self.answered.next().0 == first.0 + calls {
                while calls < limit
                    && let Some((_, behind)) = split_word(rest)
                {
                    rest = behind;
                    calls += 1;
                }
                self.answered = CallSeq(first.0 + calls - 1);
            }
            let Some((head, _, behind)) = split_frame(rest) else { break };
            if calls == limit || !is_plain(head) || self.answered_by(head).0 != first.0 + calls {
                break;
            }
            rest = behind;
            calls += 1;
            self.answered = self.answered_by(head);
        }
        let end = out.len() - rest.len();
        out.truncate(end);
        self.end.responses.advance_over(end - start);
        self.taken += calls;
        self.part();
        calls
    }

    /// The next response; its bytes are appended to `out`, its descriptors replace `arrived`. None also while a long result is on its
    /// way, of which at most `most` bytes are read at once: they are kept.
    pub fn next_response(
        &mut self,
        most: usize,
        out: &mut Vec<u8>,
        arrived: &mut Arrived,
    ) -> Result<Option<Response>, Violation> {
        let Some(frame) = self.end.responses.peek().map_err(|_| Violation::new("a corrupt ring"))? else {
            return Ok(None);
        };
        let head = frame.head;
        let start = out.len();
        frame.copy_to(out);
        if head.flags & SPILLED != 0 {
            let spilled = Spilled::from_bytes(&out[start..])
                .ok_or_else(|| Violation::new("a garbled slab reference"))?;
            out.truncate(start);
            if !self.read_slab(spilled, most, out)? {
                return Ok(None);
            }
        }
        self.end.responses.advance();
        self.taken += 1;
        let seq = self.answered_by(head);
        self.answered = seq;
        let kind = match head.kind {
            response::NEXT_DONE if head != FrameHead::default() => {
                return Err(Violation::new("a short response that is long"));
            }
            response::NEXT_DONE | response::DONE => ResponseKind::Done,
            response::FAIL => ResponseKind::Failed,
            response::SKIPPED => ResponseKind::Skipped,
            other => return Err(Violation::new(format!("a response of the unknown kind {other}"))),
        };
        if kind == ResponseKind::Skipped {
            self.known.none_is_out();
        }
        self.part();
        if head.flags & CARRIES != 0 {
            *arrived = self.take_carried(seq)?;
        }
        Ok(Some(Response { seq, kind }))
    }

    /// The call that a response is about.
    fn answered_by(&self, head: FrameHead) -> CallSeq {
        if head == FrameHead::default() { self.answered.next() } else { CallSeq(head.seq) }
    }

    /// Whether a response waits, or more of one.
    pub fn has_response(&self) -> bool {
        self.end.responses.is_ready() && !self.stands_still()
    }

    /// Whether nothing more is there of the long result that is next.
    fn stands_still(&self) -> bool {
        self.long.stand_still(&self.end.shared.result)
    }

    /// Whether a long result has been read in part.
    pub fn is_receiving(&self) -> bool {
        self.long.is_arriving()
    }

    /// Looks how much is there now; whether there is anything.
    #[inline]
    pub fn look(&mut self) -> bool {
        // What is corrupt is found out when it is heard.
        self.end.responses.used() != Ok(0)
    }

    /// Whether more responses were there than have been taken, when this last [looked](Self::look).
    #[inline]
    pub fn is_behind(&self) -> bool {
        self.end.responses.is_behind()
    }

    /// Wakes the worker if it waits for room for its responses: some have been taken.
    pub fn made_room(&self) {
        self.end.shared.room_sleep.notify();
    }

    /// The parent is about to sleep: from here on the worker rings the bell when `after` more responses are there, or
    /// when it runs out of calls or cannot go on. Says whether as many may be there already, or no more will be.
    pub fn ask_for_bell(&mut self, after: u64) -> bool {
        self.end.shared.parent_sleep.announce(self.taken + after);
        // What is corrupt is found out when it is heard.
        let used = self.end.responses.used().map_or(u64::MAX, |bytes| bytes as u64);
        let many =
            used >= after * RESPONSE_BYTES_MIN || (used > 0 && self.end.shared.parent_sleep.is_held_up());
        many && !self.stands_still()
    }

    /// The parent is awake.
    pub fn no_bell(&self) {
        self.end.shared.parent_sleep.retract();
    }

    /// Spins for a moment if that promises something (see [`crate::raw::sleep`]) until `is_ready`.
    pub fn spin(&self, patience: &mut Patience, is_ready: impl FnMut() -> bool) -> Option<Found> {
        self.end.shared.parent_sleep.word().spin(&self.end.shared.worker_sleep, patience, is_ready)
    }

    /// The call that the worker has started and not ended.
    pub fn running(&self) -> Option<CallSeq> {
        self.end.recorder.running().map(CallSeq)
    }

    /// What else it says about itself.
    pub fn recorder(&self) -> &ParentRecorder {
        &self.end.recorder
    }

    /// From now on the worker starts no call in `from..to`. Returns the first call that it will surely not run;
    /// those before, from `from` on, may be declined too.
    pub fn revoke(&self, from: CallSeq, to: CallSeq) -> CallSeq {
        CallSeq(self.end.recorder.revoke(from.0..to.0))
    }

    /// The worker has passed the revoked calls.
    pub fn clear_revoke(&self) {
        self.end.recorder.clear_revoke();
    }

    /// What the worker's crash handler noted.
    pub fn fault(&self) -> Option<Fault> {
        self.end.recorder.fault()
    }

    /// The panic that the worker noted during a call (0: before the first) before it unwound or aborted.
    pub fn panic_text(&self, call: CallSeq) -> Option<String> {
        self.end.recorder.panic_text(call.0)
    }

    /// The last bytes that the worker passed on to stderr.
    pub fn last_words(&self) -> LastWords {
        self.end.recorder.last_words()
    }

    fn push_now(&mut self, head: FrameHead, payload: &[&[u8]]) -> bool {
        let pushed = self.push(head, payload);
        self.wake();
        pushed
    }

    fn push(&mut self, head: FrameHead, payload: &[&[u8]]) -> bool {
        match self.end.requests.try_push(head, payload) {
            Ok(()) => true,
            // A ring that the worker has corrupted is found out when its responses are read.
            Err(PushError::Full | PushError::Corrupt) => false,
            Err(PushError::TooLong) => {
                never!("a frame of {} bytes", payload.iter().map(|part| part.len()).sum::<usize>());
                false
            }
        }
    }

    /// Appends a long result to `out`; false if not all of it has been read.
    fn read_slab(&mut self, spilled: Spilled, most: usize, out: &mut Vec<u8>) -> Result<bool, Violation> {
        while !self.long.are_in(spilled.slab) {
            match self.next_message()? {
                Some(
                    ToParent::Slab { .. }
                    | ToParent::Handles { .. }
                    | ToParent::Hello { .. }
                    | ToParent::Ready,
                ) => {}
                Some(_) | None => {
                    return Err(Violation::new("a result in a slab that was never sent"));
                }
            }
        }
        let too_long = || Violation::new(format!("a result of {} bytes", spilled.len));
        let len = usize::try_from(spilled.len).map_err(|_| too_long())?;
        if spilled.len > limits::PAYLOAD_BYTES_MAX {
            return Err(too_long());
        }
        let shared = &self.end.shared;
        let wait = |more: &dyn Fn() -> bool| {
            shared.parent_sleep.word().spin(&shared.worker_sleep, &mut Patience::default(), more);
        };
        let whole = self.long.read(len, most, &shared.result, wait, out).map_err(|error| {
            let what = format!("its result of {len} bytes cannot be read: {error}");
            match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::NotFound => Violation::new(what),
                // We lack what it takes.
                _ => Violation(format!("its parent killed it because {what}")),
            }
        })?;
        if whole {
            self.tell(&ToWorker::Free);
        }
        Ok(whole)
    }

    /// The descriptors that came with the result of a call.
    fn take_carried(&mut self, seq: CallSeq) -> Result<Arrived, Violation> {
        loop {
            if let Some(arrived) = self.carried.take(seq) {
                return Ok(arrived);
            }
            match self.next_message()? {
                Some(ToParent::InitializerFailed(_)) | None => {
                    return Err(Violation::new("a result without its descriptors"));
                }
                Some(_) => {}
            }
        }
    }

    /// Sends the descriptors of a call ahead of it. False if the socket has no room now.
    fn send_handles(&mut self, seq: CallSeq, handles: &[Handle]) -> io::Result<bool> {
        if handles.is_empty() {
            return Ok(true);
        }
        // Without a line they go on as before.
        if matches!(self.bundles, Sending::Used)
            && let Ok((ours, theirs)) = bundles::line()
            && self.send_now(&ToWorker::Line, &[sys::borrow(&theirs)])?
        {
            self.bundles = Sending::Open(ours);
        }
        if let Sending::Open(line) = &self.bundles {
            return bundles::send(line, seq, handles, || self.end.requests.is_empty());
        }
        let handles: Vec<_> = handles.iter().map(sys::borrow).collect();
        let sent = self.send_now(&ToWorker::Handles { call: seq.0 }, &handles)?;
        if sent {
            self.bundles = Sending::Used;
        }
        Ok(sent)
    }

    /// Sends a message; false if the socket has no room now.
    fn send_now(&self, message: &ToWorker, handles: &[BorrowedHandle<'_>]) -> io::Result<bool> {
        match control::send(&self.socket, message, handles) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            // It is dead, which is noticed elsewhere.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Says something that a worker which is gone does not need to hear.
    fn tell(&self, message: &ToWorker) {
        // A worker whose socket is full has stopped for good; its watch thread reads at all times.
        let _ = control::send(&self.socket, message, &[]);
    }
}

#[cfg(all(test, not(loom)))]
#[path = "lane_tests.rs"]
mod tests;
