//! The worker's end of the way to its parent.

use super::aside::Aside;
use super::bundles::Receiving;
use super::incoming::Incoming;
use super::mail::Mail;
use crate::error::Failure;
use crate::ids::CallSeq;
use crate::limits;
use crate::protocol::control::ToParent;
use crate::protocol::frame::{CARRIES, SPILLED, Spilled, response};
use crate::raw::sleep::Patience;
use crate::shm::frame::FrameHead;
use crate::shm::recorder::WorkerRecorder;
use crate::shm::region::{Shared, WorkerEnd};
use crate::shm::ring::{Consumer, Producer, PushError, Trusted};
use crate::shm::slab::{AttachedSlab, Slab};
use crate::sys::bell::Bell;
use crate::sys::memory::Memory;
use crate::sys::thread::step_aside;
use crate::sys::{self, Handle};
use crate::wire::codec;
use crate::wire::varint::Short;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What a worker's main thread publishes its results with.
#[derive(Debug)]
pub struct Berth {
    mail: Arc<Mail>,
    bell: Bell,
    shared: Shared,
    recorder: WorkerRecorder,
    responses: Producer<Trusted>,
    /// How many responses were published.
    published: u64,
    /// The call of the last of them.
    answered: CallSeq,
    waits: Patience,
    /// Whether the parent may wait for each response.
    in_haste: bool,
    aside: Aside,
    /// Where large results go.
    ours: Option<Slab>,
    /// How much of that may have pages, in bytes.
    touched: usize,
    /// Where descriptors of calls come, if not in the mail.
    bundles: Option<Receiving>,
}

impl Berth {
    /// Takes the worker's end of a region apart: what is asked, and the way to answer.
    pub fn new(mail: Arc<Mail>, end: WorkerEnd, bell: Bell) -> (Consumer<Trusted>, Self) {
        let WorkerEnd { requests, responses, recorder, shared } = end;
        let berth = Self {
            mail,
            bell,
            shared,
            recorder,
            responses,
            published: 0,
            answered: CallSeq(0),
            waits: Patience::default(),
            in_haste: true,
            aside: Aside::new(step_aside),
            ours: None,
            touched: 0,
            bundles: None,
        };
        (requests, berth)
    }

    /// Whether the parent may wait for each response from here on, and not for one of many.
    #[inline]
    pub fn expect_haste(&mut self, haste: bool) {
        self.in_haste = haste;
        self.waits.let_others_run(!haste);
        self.responses.echo(haste);
    }

    /// Where this worker says what it is at.
    pub fn recorder(&self) -> &WorkerRecorder {
        &self.recorder
    }

    /// Sleeps until there is a request, at most `timeout`, and not longer than [our slab](Self::tidy) stays as it is; having told
    /// the parent of all results first. False if there was nothing to do for so long.
    pub fn wait_for_request(&mut self, requests: &Consumer<Trusted>, timeout: Option<Duration>) -> bool {
        let is_there = requests.is_ready() || self.sleep(requests, timeout);
        // Who waits for one answer is about to sleep, and is answered sooner from its own processor.
        if is_there && !self.in_haste {
            self.aside.has_work(self.shared.parent_sleep.word());
        }
        is_there
    }

    fn sleep(&mut self, requests: &Consumer<Trusted>, timeout: Option<Duration>) -> bool {
        self.announce_all();
        let Self { mail, shared, waits, .. } = self;
        // One look: what changes after it is seen by those of the wait.
        let has_much = Memory::SHRINKS && self.touched > limits::SLAB_KEPT_BYTES;
        let is_owed = has_much && mail.news().waits_for_slab.is_some();
        let timeout = if has_much && !is_owed { Some(limits::KEPT_FOR) } else { timeout };
        let is_ready = || requests.is_ready() || is_owed && mail.news().waits_for_slab.is_none();
        shared.worker_sleep.wait(shared.parent_sleep.word(), waits, timeout, is_ready)
    }

    /// Gives back what long results have left in our slab, but for its start, as long as there is no request. While the parent may
    /// still read one of them, all that is done is to ask to be woken when it has: then the time begins anew, as it may have a
    /// next call.
    ///
    /// ```text
    ///  worker  lent ─► publish ─► fill ·············· idle ─► lent? ─ no ─► punch
    ///  parent                      └─► copy out ─► Free ─► (lent is over)
    /// ```
    /// Whoever calls this lends no slab meanwhile. The parent says `Free` once for each result, when it has a copy of all of it:
    /// also for those that nobody will take, as they stand in its way to the next one. A worker that is killed in the middle leaves
    /// zeros where nobody looks.
    pub fn tidy(&mut self, requests: &Consumer<Trusted>) {
        let Some(slab) = &self.ours else { return };
        if !Memory::SHRINKS || self.touched <= limits::SLAB_KEPT_BYTES {
            return;
        }
        let mut news = self.mail.news();
        if news.lent {
            news.waits_for_slab = Some(self.shared.clone());
            return;
        }
        drop(news);
        while self.touched > limits::SLAB_KEPT_BYTES && !requests.is_ready() {
            let less = self.touched.saturating_sub(limits::SLAB_LEFT_AT_ONCE_BYTES);
            self.touched = less.max(limits::SLAB_KEPT_BYTES);
            // A system that refuses would do so again.
            let _ = slab.keep_only(self.touched);
        }
    }

    /// What happens when this worker keeps its caller from running.
    #[cfg(test)]
    pub fn step_aside_by(&mut self, step: fn()) {
        self.aside = Aside::new(step);
    }

    /// How many bytes of our slab exist.
    #[cfg(test)]
    pub fn resident(&self) -> io::Result<u64> {
        self.ours.as_ref().map_or(Ok(0), Slab::resident)
    }

    /// Whether no call has been answered yet.
    pub fn is_new(&self) -> bool {
        self.published == 0
    }

    /// The slab in which arguments lie.
    ///
    /// # Errors
    /// [`is_no_room`](super::control::is_no_room) when there is no descriptor or no address space left for it.
    pub fn spilled(&self, spilled: Spilled) -> io::Result<Arc<AttachedSlab>> {
        let len = usize::try_from(spilled.len).map_err(io::Error::other)?;
        let found = self.mail.wait_for(|news| match news.slabs.get(&spilled.slab) {
            // One that is used again may have grown, and was sent again then.
            Some(Ok(slab)) if slab.len() < len => None,
            Some(Ok(slab)) => Some(Ok(slab.clone())),
            Some(Err(why)) => Some(Err(why.clone())),
            None => None,
        })?;
        found.map_err(|why| {
            let why = format!("{len} bytes of arguments cannot be mapped: {why}");
            io::Error::new(io::ErrorKind::QuotaExceeded, why)
        })
    }

    /// Arguments of `len` bytes in a slab, which may still be on their way.
    ///
    /// # Errors
    /// If the slab is shorter.
    pub fn incoming<'s>(&self, slab: &'s AttachedSlab, len: u64) -> io::Result<Incoming<'s>> {
        let too_short = || io::Error::other("a slab shorter than its content");
        let len = usize::try_from(len).map_err(io::Error::other)?;
        Incoming::new(slab, len, self.shared.clone()).map_err(|_| too_short())
    }

    /// The descriptors of a call's arguments.
    ///
    /// # Errors
    /// [`is_no_room`](super::control::is_no_room) when there is none for them.
    pub fn handles_of(&mut self, call: CallSeq) -> io::Result<Vec<Handle>> {
        let line = match &mut self.bundles {
            Some(line) => line,
            bundles @ None => {
                // What was sent before the line was filed before it.
                let came = self.mail.wait_for(|news| match news.handles.remove(&call.0) {
                    Some(handles) => Some(Ok(handles)),
                    None => news.line.take().map(Err),
                })?;
                match came {
                    Ok(arrived) => return arrived,
                    Err(line) => bundles.insert(line),
                }
            }
        };
        match line.receive(call)? {
            Some(handles) => Ok(handles),
            // The parent is gone: the watch thread ends this process.
            None => self.mail.wait_for(|_| None),
        }
    }

    /// Publishes a response with descriptors.
    pub fn respond_carrying(
        &mut self,
        kind: u8,
        seq: CallSeq,
        payload: &[u8],
        handles: &[Handle],
    ) -> io::Result<()> {
        let handles: Vec<_> = handles.iter().map(sys::borrow).collect();
        self.mail.send(&ToParent::Handles { call: seq.0 }, &handles)?;
        self.respond_with(kind, CARRIES, seq, payload)
    }

    /// Publishes a response, waiting for room if need be. A payload that is too long for the ring goes through our slab.
    #[inline]
    pub fn respond(&mut self, kind: u8, seq: CallSeq, payload: &[u8]) -> io::Result<()> {
        let next = kind == response::DONE && seq == self.answered.next();
        if next && self.responses.try_push_short(payload).is_ok() {
            self.note_pushed(seq);
            return Ok(());
        }
        self.respond_with(kind, 0, seq, payload)
    }

    /// Publishes that a call returned a few bytes.
    #[inline]
    pub fn respond_short(&mut self, seq: CallSeq, short: Short) -> io::Result<()> {
        if seq == self.answered.next() && self.responses.try_push_word(short).is_ok() {
            self.note_pushed(seq);
            return Ok(());
        }
        self.respond_with(response::DONE, 0, seq, &short.word.to_le_bytes()[..short.len])
    }

    fn respond_with(&mut self, kind: u8, flags: u8, seq: CallSeq, payload: &[u8]) -> io::Result<()> {
        let head = FrameHead { kind, flags, count: 0, seq: seq.0 };
        if payload.len() <= limits::INLINE_BYTES_MAX {
            self.push(head, payload)
        } else {
            self.respond_long(head, &[payload])
        }
    }

    /// Rings for the parent if it asked to be woken by now.
    #[inline]
    pub fn announce(&self) {
        if self.shared.parent_sleep.take_sleeper(self.published) {
            self.bell.ring();
        }
    }

    /// The same, at less cost and without a promise: for results that are followed by more, so that the last of them
    /// [announces](Self::announce) what this one missed.
    #[inline]
    pub fn announce_if_seen(&self) {
        if self.shared.parent_sleep.seems_owed(self.published) {
            self.announce();
        }
    }

    /// Rings for the parent if it sleeps at all.
    fn announce_all(&self) {
        if self.shared.parent_sleep.take_sleeper(u64::MAX) {
            self.bell.ring();
        }
    }

    fn push(&mut self, head: FrameHead, payload: &[u8]) -> io::Result<()> {
        loop {
            match self.responses.try_push(head, &[payload]) {
                Ok(()) => break,
                Err(PushError::Full) => {}
                Err(PushError::TooLong | PushError::Corrupt) => {
                    return Err(io::Error::other("the ring of responses is broken"));
                }
            }
            self.announce_all();
            let (responses, len) = (&mut self.responses, payload.len());
            let partner = self.shared.parent_sleep.word();
            self.shared.room_sleep.wait(partner, &mut self.waits, None, || responses.is_ready(len));
        }
        self.note_pushed(CallSeq(head.seq));
        Ok(())
    }

    #[inline]
    fn note_pushed(&mut self, seq: CallSeq) {
        self.answered = seq;
        self.published += 1;
    }

    /// Publishes the result of a call that lies in these pieces and is too long for the ring.
    pub fn respond_in_pieces(&mut self, seq: CallSeq, pieces: &[&[u8]]) -> io::Result<()> {
        self.respond_long(FrameHead { kind: response::DONE, flags: 0, count: 0, seq: seq.0 }, pieces)
    }

    /// Publishes a payload and puts it into our slab, once the parent has read what is in there. The parent reads along; it
    /// counts when all of it is there.
    fn respond_long(&mut self, head: FrameHead, pieces: &[&[u8]]) -> io::Result<()> {
        if self.mail.news().lent {
            // Of a run of results the parent waits for many, and there is no next one before it has taken this.
            if self.shared.parent_sleep.hold_up() {
                self.bell.ring();
            }
            let free = self.mail.wait_for(|news| (!news.lent).then_some(()));
            self.shared.parent_sleep.release();
            free?;
        }
        let len = pieces.iter().map(|piece| piece.len()).sum();
        let fitting = self.ours.take().filter(|slab| slab.len() >= len);
        let slab = if let Some(slab) = fitting {
            slab
        } else {
            let slab = match Slab::create(len) {
                Ok(slab) => slab,
                Err(error) => return self.respond_unstored(CallSeq(head.seq), len, &error),
            };
            self.mail.send(&ToParent::Slab { id: slab.id() }, &[slab.handle()])?;
            slab
        };
        self.mail.news().lent = true;
        self.shared.result.start();
        let spilled = Spilled { slab: slab.id(), len: len as u64 };
        self.push(FrameHead { flags: head.flags | SPILLED, ..head }, &spilled.to_bytes())?;
        self.announce();
        // A parent that has caught up may have gone to sleep.
        slab.fill(pieces.iter().copied(), &self.shared.result, || self.announce_if_seen())?;
        self.ours = Some(slab);
        self.touched = self.touched.max(len);
        Ok(())
    }

    /// Publishes that there is no place for the result of a call.
    #[cold]
    fn respond_unstored(&mut self, seq: CallSeq, len: usize, error: &io::Error) -> io::Result<()> {
        let failure = Failure::ResultNotStored { len: len as u64, reason: error.to_string() };
        let mut bytes = Vec::new();
        codec::encode(&failure, &mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        self.respond(response::FAIL, seq, &bytes)
    }
}
