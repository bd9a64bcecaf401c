//! Where calls are run and answered.

use crate::check::never;
use crate::error::Failure;
use crate::ids::CallSeq;
use crate::protocol::frame::{CARRIES, Items, SPILLED, Spilled, response, take_u32};
use crate::shared::kept::KEPT;
use crate::shm::frame::FrameHead;
use crate::sys::{self, Handle};
use crate::task::calls::{Call, Calls, One, Sink, Special};
use crate::task::frame::Arriving;
use crate::task::registry::{Slot, registry};
use crate::task::run::{OnCall, Runner};
use crate::transport::berth::Berth;
use crate::transport::control::is_no_room;
use crate::wire::codec;
use crate::wire::handles::Bundle;
use crate::wire::outgoing::{Apart, pieces};
use crate::wire::spare::SPARE;
use crate::wire::varint::Short;
use std::io;
use std::rc::Rc;

/// Exit code of a process whose task panicked: what a Rust program ends with.
pub const PANICKED: i32 = 101;

/// Exit code of a copy of a worker that came to the end of a task.
const COPIED: i32 = 71;

/// How much of the buffer for results is kept from one call to the next, in bytes.
const RESULT_BYTES_KEPT: usize = 1 << 20;

/// Where calls are run and answered.
pub struct Desk {
    pub berth: Berth,
    runner: Runner,
    /// The bytes of a result, used again and again.
    result: Vec<u8>,
    /// Its descriptors.
    carried: Vec<Handle>,
    /// The first call that was not run because it had been revoked, until all revoked calls are passed.
    skipped_from: Option<CallSeq>,
    original: Original,
}

/// Tells the worker from copies of it that its tasks make.
#[derive(Clone, Copy)]
pub struct Original(u32);

impl Original {
    /// This process is the worker.
    pub fn now() -> Self {
        Self(sys::copies::count())
    }

    /// Ends this process if it is a copy: the memory in which calls are answered is the worker's, who answers for itself.
    #[inline]
    pub fn or_end(self) {
        if sys::copies::is_copy_since(self.0) {
            end_of_copy();
        }
    }
}

#[cold]
fn end_of_copy() -> ! {
    let number = std::process::id();
    sys::pipe::write_stderr(
        format!(
            "mp: process {number} is a copy of a worker, made by a `fork` in a task, and has come to the end of the task: it ends \
             here, and the worker answers (call `_exit` in the copy)\n"
        )
        .as_bytes(),
    );
    sys::process::exit_now(COPIED)
}

impl Desk {
    /// A desk that answers through `berth`.
    pub fn new(berth: Berth, runner: Runner) -> Self {
        Self {
            berth,
            runner,
            result: Vec::new(),
            carried: Vec::new(),
            skipped_from: None,
            original: Original::now(),
        }
    }

    /// Runs the calls of a frame, and publishes how each ended unless it has been revoked. Says what a process would end
    /// with that has the last of them only, if it ran.
    ///
    /// # Errors
    /// When the way to the parent is broken.
    pub fn calls(&mut self, head: FrameHead, payload: &[u8]) -> io::Result<Option<i32>> {
        let (slot, rest) = take_u32(payload).ok_or_else(garbled)?;
        let entry = registry().get(Slot(slot)).ok_or_else(garbled)?;
        let on_call = OnCall::new(entry, self.runner);
        self.berth.expect_haste(head.count == 1);
        let code = if head.flags == 0 {
            self.frame(head, &on_call, rest, None)?
        } else if head.count > 1 {
            self.carried_frame(head, &on_call, rest)?
        } else {
            self.special(head, &on_call, rest)?
        };
        self.berth.announce();
        drop(on_call);
        KEPT.age();
        SPARE.age();
        Ok(code)
    }

    /// The calls of a frame whose arguments lie in it; these descriptors are for all of them.
    fn frame(
        &mut self,
        head: FrameHead,
        on_call: &OnCall,
        rest: &[u8],
        common: Option<Rc<Bundle>>,
    ) -> io::Result<Option<i32>> {
        let items = Items::of(head.count, rest);
        let next = CallSeq(head.seq);
        let mut frame = Frame { desk: self, items, next, answered: None, code: Ok(None), common };
        on_call.run(&mut frame);
        frame.code
    }

    /// The calls of a frame with which descriptors came.
    fn carried_frame(&mut self, head: FrameHead, on_call: &OnCall, rest: &[u8]) -> io::Result<Option<i32>> {
        if head.flags != CARRIES {
            return Err(garbled());
        }
        let error = match self.berth.handles_of(CallSeq(head.seq)) {
            Ok(handles) => return self.frame(head, on_call, rest, Some(Rc::new(Bundle::new(handles)))),
            Err(error) => error,
        };
        // None of them has begun: others may try them.
        if !is_no_room(&error) {
            return Err(error);
        }
        if !self.berth.is_new() {
            self.berth.recorder().hand_back();
            return Err(error);
        }
        let mut code = None;
        for seq in (head.seq..).take(head.count.into()).map(CallSeq) {
            if self.berth.recorder().begin(seq.0) {
                let failure = Failure::ArgumentsNotStored { reason: error.to_string() };
                code = Some(self.answer(seq, Err(failure), None)?);
            } else {
                self.pass(seq)?;
            }
        }
        Ok(code)
    }

    /// The one call of a frame whose arguments lie elsewhere or have descriptors.
    fn special(&mut self, head: FrameHead, on_call: &OnCall, rest: &[u8]) -> io::Result<Option<i32>> {
        let seq = CallSeq(head.seq);
        let began = self.berth.recorder().begin(seq.0);
        let carries = head.flags & CARRIES != 0;
        let handles = if carries { self.berth.handles_of(seq) } else { Ok(Vec::new()) };
        if !began {
            // Nobody misses what there was no room for.
            if let Err(error) = handles
                && !is_no_room(&error)
            {
                return Err(error);
            }
            self.pass(seq)?;
            return Ok(None);
        }
        let handles = match handles {
            Ok(handles) => handles,
            Err(error) => return self.unreceived(seq, error).map(Some),
        };
        let (slab, incoming);
        let mut arriving: Option<&dyn Arriving> = None;
        if head.flags & SPILLED != 0 {
            let spilled = Spilled::from_bytes(rest).ok_or_else(garbled)?;
            slab = match self.berth.spilled(spilled) {
                Ok(slab) => slab,
                Err(error) => return self.unreceived(seq, error).map(Some),
            };
            incoming = self.berth.incoming(&slab, spilled.len)?;
            arriving = Some(&incoming);
        }
        let (berth, original, mut answered) = (&mut self.berth, self.original, None);
        let mut store = |pieces: &[&[u8]]| {
            original.or_end();
            answered = Some(berth.respond_in_pieces(seq, pieces));
        };
        let call = One::new(rest, handles, &mut self.result, Some(&mut store)).or_arriving(arriving);
        let ending = on_call.run_one(call).map(|carried| self.carried = carried);
        self.answer(seq, ending, answered).map(Some)
    }

    /// What goes with a call, which has begun, did not arrive. What has run here may have used up the room for it, and then another
    /// worker is to try it; to one in which nothing has run it is too much.
    #[cold]
    fn unreceived(&mut self, seq: CallSeq, error: io::Error) -> io::Result<i32> {
        if !is_no_room(&error) {
            return Err(error);
        }
        if self.berth.is_new() {
            let failure = Failure::ArgumentsNotStored { reason: error.to_string() };
            return self.answer(seq, Err(failure), None);
        }
        self.berth.recorder().hand_back();
        Err(error)
    }

    /// Publishes how a call ended whose result is in the buffers, unless it has been `answered`.
    fn answer(
        &mut self,
        seq: CallSeq,
        ending: Result<(), Failure>,
        answered: Option<io::Result<()>>,
    ) -> io::Result<i32> {
        self.original.or_end();
        let code = if ending.is_err() { PANICKED } else { 0 };
        if let Some(answered) = answered {
            // Its outcome is out: a panic after that, when arguments were dropped, comes too late to be one.
            answered?;
        } else if let Err(failure) = ending {
            encode_failure(&failure, &mut self.result);
            self.berth.respond(response::FAIL, seq, &self.result)?;
        } else if self.carried.is_empty() {
            self.berth.respond(response::DONE, seq, &self.result)?;
        } else {
            self.berth.respond_carrying(response::DONE, seq, &self.result, &self.carried)?;
        }
        self.berth.recorder().end();
        self.carried.clear();
        // One large result must not make this worker large for ever; one after the other may.
        if self.result.capacity() > RESULT_BYTES_KEPT.max(2 * self.result.len()) {
            self.result = Vec::new();
        }
        self.result.clear();
        Ok(code)
    }

    /// Passes over a revoked call; after the last one the parent is told which was the first.
    #[cold]
    fn pass(&mut self, seq: CallSeq) -> io::Result<()> {
        let from = *self.skipped_from.get_or_insert(seq);
        if self.berth.recorder().is_last_revoked(seq.0) {
            self.skipped_from = None;
            self.berth.respond(response::SKIPPED, from, &[])?;
        }
        Ok(())
    }
}

/// The calls of a frame that nothing is special about, and where they are answered.
struct Frame<'d, 'f> {
    desk: &'d mut Desk,
    items: Items<'f>,
    /// The call of the next item.
    next: CallSeq,
    /// What became of a long result of the call that runs.
    answered: Option<io::Result<()>>,
    /// What a process would end with that has the last call only.
    code: io::Result<Option<i32>>,
    /// Descriptors for the arguments of all the calls.
    common: Option<Rc<Bundle>>,
}

impl Frame<'_, '_> {
    /// The call that has begun.
    fn seq(&self) -> CallSeq {
        CallSeq(self.next.0 - 1)
    }

    /// Its outcome is about to be published. That of the last call that runs says that nothing is in use here any more.
    #[inline]
    fn let_go(&self) {
        let Some(common) = &self.common else { return };
        if self.items.is_empty() {
            common.close();
        } else if self.desk.berth.recorder().is_revoked(self.next.0) {
            common.forget();
        }
    }

    /// Its outcome is published.
    #[inline]
    fn note(&mut self, published: io::Result<i32>) {
        match published {
            Ok(code) => {
                self.code = Ok(Some(code));
                self.desk.berth.announce_if_seen();
            }
            Err(error) => self.give_up(error),
        }
    }

    /// Runs no more calls.
    #[cold]
    fn give_up(&mut self, error: io::Error) {
        self.items = Items::of(0, &[]);
        self.code = Err(error);
    }
}

impl Sink for Frame<'_, '_> {
    fn buffers(&mut self) -> (&mut Vec<u8>, &mut Vec<Handle>) {
        (&mut self.desk.result, &mut self.desk.carried)
    }

    fn takes_long(&self) -> bool {
        true
    }

    fn store(&mut self, apart: &Apart<'_>) {
        self.desk.original.or_end();
        self.let_go();
        let seq = self.seq();
        let pieces: Vec<_> = pieces(&self.desk.result, apart).collect();
        self.answered = Some(self.desk.berth.respond_in_pieces(seq, &pieces));
    }
}

impl<'f> Calls<'f> for Frame<'_, 'f> {
    #[inline]
    fn next(&mut self) -> Option<Call<'f>> {
        loop {
            let Some(arguments) = self.items.next()? else {
                self.give_up(garbled());
                return None;
            };
            let seq = self.next;
            self.next = seq.next();
            if self.desk.berth.recorder().begin(seq.0) {
                return Some(Call { arguments, is_special: self.common.is_some() });
            }
            // Who hears that those that are left do not run takes nothing for used any more.
            self.common.as_ref().inspect(|common| common.forget());
            if let Err(error) = self.desk.pass(seq) {
                self.give_up(error);
                return None;
            }
        }
    }

    fn returned(&mut self, short: Short) -> Option<Call<'f>> {
        self.desk.original.or_end();
        self.let_go();
        let published = self.desk.berth.respond_short(self.seq(), short);
        self.desk.berth.recorder().end();
        self.note(published.map(|()| 0));
        self.next()
    }

    fn ended(&mut self, ending: Result<(), Failure>) {
        self.let_go();
        let answered = self.answered.take();
        let published = self.desk.answer(self.seq(), ending, answered);
        self.note(published);
    }

    fn take_special(&mut self) -> Special<'f> {
        Special { common: self.common.clone(), ..Special::default() }
    }
}

fn garbled() -> io::Error {
    io::Error::other("a garbled call")
}

fn encode_failure(failure: &Failure, out: &mut Vec<u8>) {
    out.clear();
    if codec::encode(failure, out).is_err() {
        never!("a failure message is made of strings and numbers");
    }
}
