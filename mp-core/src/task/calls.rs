//! Calls of one task as its glue takes them: one after the other, in a loop of its own.
//!
//! ```text
//!   glue   next ─► decode, call, encode ─► returned, or ended ─► next ─► ..
//! ```
//! The loop is compiled with the task in it. What is not a number goes through buffers of whoever brings the calls.

use super::frame::{Arguments, Arriving, Reply};
use crate::error::Failure;
use crate::sys::Handle;
use crate::wire::handles::Bundle;
use crate::wire::outgoing::{Apart, pieces};
use crate::wire::varint::Short;
use std::rc::Rc;

/// Where results go that are not [`Short`].
pub trait Sink {
    /// Where the bytes of a result and its descriptors are appended.
    fn buffers(&mut self) -> (&mut Vec<u8>, &mut Vec<Handle>);

    /// Whether long runs of bytes are to be [stored](Self::store) from where they are.
    fn takes_long(&self) -> bool;

    /// Takes over a result: the bytes that were appended, with these runs in their places.
    fn store(&mut self, apart: &Apart<'_>);
}

/// Calls one after the other. `'f` is how long their arguments stay.
pub trait Calls<'f>: Sink {
    /// Begins the next call, if there is one.
    fn next(&mut self) -> Option<Call<'f>>;

    /// The call that has begun returned this. Begins the next.
    fn returned(&mut self, short: Short) -> Option<Call<'f>>;

    /// The call that has begun returned what is in the sink, or failed.
    fn ended(&mut self, ending: Result<(), Failure>);

    /// What is special about the call that has begun, if it [is](Call::is_special).
    fn take_special(&mut self) -> Special<'f>;
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub struct Call<'f> {
    /// Its encoded arguments.
    pub arguments: &'f [u8],
    /// Whether there is more about them.
    pub is_special: bool,
}

/// What most calls do not have.
#[derive(Debug, Default)]
pub struct Special<'f> {
    /// Descriptors for the arguments.
    pub handles: Vec<Option<Handle>>,
    /// All the arguments, if they may still be on their way.
    pub arriving: Option<&'f dyn Arriving>,
    /// Descriptors that are for the arguments of other calls, too.
    pub common: Option<Rc<Bundle>>,
}

/// The glue of one task: decodes, calls and encodes until there are no more calls. A panic comes out of it.
pub type Invoke = for<'f, 'c> fn(&'c mut (dyn Calls<'f> + 'c));

/// What a glue is, for a function that does all this for one call.
#[inline]
pub fn each<'f>(
    calls: &mut (dyn Calls<'f> + '_),
    invoke: impl Fn(&mut Arguments<'_>, Reply<'_>) -> Result<(), Failure>,
) {
    let mut next = calls.next();
    while let Some(call) = next {
        let mut special = if call.is_special { calls.take_special() } else { Special::default() };
        let mut arguments = Arguments::new(call.arguments, &mut special.handles, special.common.as_ref())
            .or_arriving(special.arriving);
        let mut short = None;
        let ended = invoke(&mut arguments, Reply::new(calls, &mut short));
        match ended {
            Ok(()) => {
                if let Some(short) = short {
                    next = calls.returned(short);
                    continue;
                }
                calls.ended(Ok(()));
            }
            Err(failure) => calls.ended(Err(failure)),
        }
        next = calls.next();
    }
}

/// A single call.
pub struct One<'f, 'o> {
    arguments: Option<&'f [u8]>,
    special: Special<'f>,
    out: &'o mut Vec<u8>,
    before: usize,
    carried: Vec<Handle>,
    ending: Option<Result<(), Failure>>,
    long: Option<Long<'o>>,
}

/// Takes a long result in pieces, from where they are.
pub type Long<'a> = &'a mut (dyn FnMut(&[&[u8]]) + 'a);

impl<'f, 'o> One<'f, 'o> {
    /// A call whose result is appended to `out`, or given to `long` if it is a long run of bytes. `handles` belong to the
    /// arguments.
    pub fn new(
        arguments: &'f [u8],
        handles: Vec<Handle>,
        out: &'o mut Vec<u8>,
        long: Option<Long<'o>>,
    ) -> Self {
        let handles = handles.into_iter().map(Some).collect();
        let special = Special { handles, ..Special::default() };
        let (before, carried) = (out.len(), Vec::new());
        Self { arguments: Some(arguments), special, before, out, carried, ending: None, long }
    }

    /// The same, with other arguments if these may be `arriving`.
    pub fn or_arriving(mut self, arriving: Option<&'f dyn Arriving>) -> Self {
        if arriving.is_some() {
            self.arguments = Some(&[]);
            self.special.arriving = arriving;
        }
        self
    }

    /// How it ended: the descriptors of the result. After a failure nothing has been appended. `None` if it never began.
    pub fn into_ending(self) -> Option<Result<Vec<Handle>, Failure>> {
        Some(self.ending?.map(|()| self.carried))
    }
}

impl Sink for One<'_, '_> {
    fn buffers(&mut self) -> (&mut Vec<u8>, &mut Vec<Handle>) {
        (self.out, &mut self.carried)
    }

    fn takes_long(&self) -> bool {
        self.long.is_some()
    }

    fn store(&mut self, apart: &Apart<'_>) {
        let pieces: Vec<_> = pieces(&self.out[self.before..], apart).collect();
        if let Some(long) = &mut self.long {
            long(&pieces);
        }
    }
}

impl<'f> Calls<'f> for One<'f, '_> {
    fn next(&mut self) -> Option<Call<'f>> {
        let is_special = !self.special.handles.is_empty() || self.special.arriving.is_some();
        self.arguments.take().map(|arguments| Call { arguments, is_special })
    }

    fn returned(&mut self, short: Short) -> Option<Call<'f>> {
        short.append_to(self.out);
        self.ended(Ok(()));
        None
    }

    fn ended(&mut self, ending: Result<(), Failure>) {
        if ending.is_err() {
            self.out.truncate(self.before);
            self.carried.clear();
        }
        self.ending = Some(ending);
    }

    fn take_special(&mut self) -> Special<'f> {
        std::mem::take(&mut self.special)
    }
}
