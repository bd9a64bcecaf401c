//! Handles inside values.
//!
//! A lock, a queue or an end of a pipe is a descriptor and a few numbers. When one of them is encoded, the descriptor is
//! put aside and its place among those put aside is written; the descriptors travel beside the bytes. Decoding goes the
//! other way. Both sides are set up around one value on one thread, as ipc-channel does it; outside, such a value cannot
//! be encoded at all.
//!
//! What only one process can have leaves this one with the value, and not before it is certain that the value goes: whoever encodes
//! says so to [`settle`], or takes what is [`leaving`] along until then.

use crate::limits;
use crate::sys::{self, BorrowedHandle, Handle};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// Something of which only one process can have a handle.
pub trait Leaves: fmt::Debug {
    /// The value with its handle is on its way: there is no use for it here any more.
    fn go(&self);
    /// That value goes nowhere.
    fn stay(&self);
}

/// Handles that came for several values, each of which may take all of them, and what was made of them for one and may be for the next.
#[derive(Debug)]
pub struct Bundle {
    handles: RefCell<Vec<Handle>>,
    /// By the places of the handles.
    made: RefCell<Vec<(u32, Box<dyn Any>)>>,
}

impl Bundle {
    /// Handles of which nothing was made.
    pub fn new(handles: Vec<Handle>) -> Self {
        Self { handles: RefCell::new(handles), made: RefCell::default() }
    }

    /// Lets go of what was made.
    pub fn forget(&self) {
        self.made.take();
    }

    /// The same, and closes the handles: no more values come.
    pub fn close(&self) {
        self.forget();
        self.handles.take();
    }

    fn copy(&self, place: u32) -> Result<Handle, NotHere> {
        let handles = self.handles.borrow();
        sys::duplicate(sys::borrow(handles.get(place as usize).ok_or(MISSING)?)).map_err(|_| NO_DESCRIPTORS)
    }

    fn made<T: Clone + 'static>(&self, place: u32) -> Option<T> {
        let made = self.made.borrow();
        made.iter().filter(|(of, _)| *of == place).find_map(|(_, thing)| thing.downcast_ref().cloned())
    }
}

/// Where values find their handles.
#[derive(Debug)]
enum Incoming {
    /// They take them.
    Own(Vec<Option<Handle>>),
    /// They take copies.
    Common(Rc<Bundle>),
}

/// What leaves this process with a value; it stays if this is dropped.
#[derive(Debug, Default)]
pub struct Leaving(Vec<Arc<dyn Leaves>>);

impl Leaving {
    /// The value is on its way.
    pub fn go(mut self) {
        for thing in std::mem::take(&mut self.0) {
            thing.go();
        }
    }

    /// Whether there is any such thing.
    pub fn is_any(&self) -> bool {
        !self.0.is_empty()
    }
}

impl Drop for Leaving {
    #[inline]
    fn drop(&mut self) {
        for thing in &self.0 {
            thing.stay();
        }
    }
}

/// A handle that was given, and what leaves with it.
#[derive(Debug)]
struct Given(Handle, Option<Arc<dyn Leaves>>);

/// Why a handle cannot be encoded or decoded here.
#[derive(Debug)]
pub struct NotHere(&'static str);

const MISSING: NotHere = NotHere("the descriptor of this value is missing");
const NO_DESCRIPTORS: NotHere = NotHere("this process has no descriptors left");

impl fmt::Display for NotHere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

thread_local! {
    /// One more than the number of handles that were given for the value that is being encoded on this thread; 0 if none
    /// is.
    static GIVEN: Cell<usize> = const { Cell::new(0) };
    /// Those handles, behind those of the value that it is encoded within.
    static OUTGOING: RefCell<Vec<Given>> = const { RefCell::new(Vec::new()) };
    /// What leaves with values that were encoded on this thread just now.
    static LEAVING: RefCell<Leaving> = const { RefCell::new(Leaving(Vec::new())) };
    static INCOMING: RefCell<Option<Incoming>> = const { RefCell::new(None) };
}

/// Runs `encode`; the handles that are given meanwhile are appended to `given`, behind those of what was encoded before.
#[inline]
pub fn collecting_into<T>(given: &mut Vec<Handle>, encode: impl FnOnce() -> T) -> T {
    let before = given.len();
    let _restore = Restore { outer: GIVEN.replace(before + 1), before };
    let goes_nowhere = GoesNowhere;
    let result = encode();
    std::mem::forget(goes_nowhere);
    // Most values have none, and those pay for two looks at a number only.
    let count = GIVEN.get() - 1 - before;
    if count > 0 {
        GIVEN.set(before + 1);
        collect(count, given);
    }
    result
}

#[cold]
fn collect(count: usize, given: &mut Vec<Handle>) {
    let all = OUTGOING.with_borrow_mut(|outgoing| outgoing.split_off(outgoing.len() - count));
    for Given(handle, leaves) in all {
        given.push(handle);
        LEAVING.with_borrow_mut(|leaving| leaving.0.extend(leaves));
    }
}

/// What leaves with the values that were encoded on this thread since this was asked last.
#[cold]
pub fn leaving() -> Leaving {
    LEAVING.take()
}

/// After values with handles were encoded, or were not to the end: what was to leave with them goes, or stays.
#[cold]
pub fn settle(goes: bool) {
    let leaving = leaving();
    if goes {
        leaving.go();
    }
}

/// Runs `decode`, which may take these handles. What it does not take is closed.
pub fn providing<T>(handles: Vec<Handle>, decode: impl FnOnce() -> T) -> T {
    lending(&mut handles.into_iter().map(Some).collect(), decode)
}

/// Runs `decode`, which may take from these handles; what it does not take stays.
pub fn lending<T>(handles: &mut Vec<Option<Handle>>, decode: impl FnOnce() -> T) -> T {
    struct Back<'a>(&'a mut Vec<Option<Handle>>, Option<Incoming>);
    impl Drop for Back<'_> {
        fn drop(&mut self) {
            if let Some(Incoming::Own(left)) = INCOMING.replace(self.1.take()) {
                *self.0 = left;
            }
        }
    }
    let outer = INCOMING.replace(Some(Incoming::Own(std::mem::take(handles))));
    let _back = Back(handles, outer);
    decode()
}

/// Runs `decode`, which may take copies of these handles.
pub fn sharing<T>(bundle: &Rc<Bundle>, decode: impl FnOnce() -> T) -> T {
    struct Back(Option<Incoming>);
    impl Drop for Back {
        fn drop(&mut self) {
            INCOMING.set(self.0.take());
        }
    }
    let _back = Back(INCOMING.replace(Some(Incoming::Common(bundle.clone()))));
    decode()
}

/// For `Deserialize`: what `make` makes of the handle at a place, or made of it for a value before this one that came with the same
/// handles, if that `suits`.
pub fn once<T: Clone + 'static, E>(
    place: u32,
    suits: impl FnOnce(&T) -> bool,
    make: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let bundle = INCOMING.with_borrow(|incoming| match incoming {
        Some(Incoming::Common(bundle)) => Some(bundle.clone()),
        Some(Incoming::Own(_)) | None => None,
    });
    let Some(bundle) = bundle else { return make() };
    if let Some(made) = bundle.made(place).filter(suits) {
        return Ok(made);
    }
    let made = make()?;
    bundle.made.borrow_mut().push((place, Box::new(made.clone())));
    Ok(made)
}

/// For `Serialize`: puts a copy of the handle aside and returns its place.
///
/// # Errors
/// Outside of `mp`, or when there are too many.
pub fn give(handle: BorrowedHandle<'_>) -> Result<u32, NotHere> {
    give_with(handle, None)
}

/// The same for the handle of something that leaves with the value.
///
/// # Errors
/// As [`give`].
pub fn give_away(handle: BorrowedHandle<'_>, leaves: Arc<dyn Leaves>) -> Result<u32, NotHere> {
    give_with(handle, Some(leaves))
}

fn give_with(handle: BorrowedHandle<'_>, leaves: Option<Arc<dyn Leaves>>) -> Result<u32, NotHere> {
    const OUTSIDE: NotHere = NotHere(
        "this value stands for something shared by processes: it can travel in arguments, results and messages of mp only",
    );
    let given = GIVEN.get().checked_sub(1).ok_or(OUTSIDE)?;
    if given >= limits::CONTROL_HANDLES_MAX {
        return Err(NotHere(
            "it has more descriptors of shared things than the 64 that one message can carry (a queue has four of them, an end \
             of a pipe one): send it in parts",
        ));
    }
    let copy = sys::duplicate(handle).map_err(|_| NO_DESCRIPTORS)?;
    OUTGOING.with_borrow_mut(|outgoing| outgoing.push(Given(copy, leaves)));
    GIVEN.set(given + 2);
    Ok(given as u32)
}

/// For `Deserialize`: takes the handle at a place.
///
/// # Errors
/// Outside of `mp`, or when there is none.
pub fn take(place: u32) -> Result<Handle, NotHere> {
    INCOMING.with_borrow_mut(|incoming| {
        let incoming = incoming.as_mut().ok_or(NotHere(
            "this value stands for something shared by processes: it can be read from messages of mp only",
        ))?;
        match incoming {
            Incoming::Own(handles) => handles.get_mut(place as usize).and_then(Option::take).ok_or(MISSING),
            Incoming::Common(bundle) => bundle.copy(place),
        }
    })
}

/// What was being collected before goes on when this is dropped; by a panic, handles may be left over.
struct Restore {
    outer: usize,
    before: usize,
}

impl Drop for Restore {
    #[inline]
    fn drop(&mut self) {
        let left = GIVEN.replace(self.outer) - 1 - self.before;
        if left > 0 {
            let all = OUTGOING.with_borrow_mut(|outgoing| outgoing.split_off(outgoing.len() - left));
            // They stay.
            drop(Leaving(all.into_iter().filter_map(|Given(_, leaves)| leaves).collect()));
        }
    }
}

/// Dropped by a panic: nothing comes of the value, nor of those encoded for the same call before it.
struct GoesNowhere;

impl Drop for GoesNowhere {
    #[cold]
    fn drop(&mut self) {
        settle(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pipe::pipe;

    fn collecting<T>(encode: impl FnOnce() -> T) -> (T, Vec<Handle>) {
        let mut given = Vec::new();
        (collecting_into(&mut given, encode), given)
    }

    #[test]
    fn values_one_after_the_other_share_a_list() {
        let (read, write) = pipe().unwrap();
        let mut given = Vec::new();
        let first = collecting_into(&mut given, || give(sys::borrow(&read)).unwrap());
        let second = collecting_into(&mut given, || {
            (give(sys::borrow(&write)).unwrap(), give(sys::borrow(&read)).unwrap())
        });
        assert_eq!((first, second, given.len()), (0, (1, 2), 3));
    }

    #[test]
    fn handles_travel_beside_the_bytes() {
        let (read, write) = pipe().unwrap();
        let ((first, second), handles) =
            collecting(|| (give(sys::borrow(&read)).unwrap(), give(sys::borrow(&write)).unwrap()));
        assert_eq!((first, second, handles.len()), (0, 1, 2));
        providing(handles, || {
            assert!(take(1).is_ok());
            assert!(take(1).is_err(), "taken once");
            assert!(take(2).is_err(), "never given");
        });
        assert!(take(0).is_err(), "outside");
        assert!(give(sys::borrow(&read)).is_err(), "outside");
    }

    #[test]
    fn as_many_handles_as_a_message_can_carry_are_given() {
        let (read, _write) = pipe().unwrap();
        let (refused, given) = collecting(|| {
            for place in 0..limits::CONTROL_HANDLES_MAX {
                assert_eq!(give(sys::borrow(&read)).unwrap() as usize, place);
            }
            give(sys::borrow(&read)).unwrap_err().to_string()
        });
        assert_eq!(given.len(), limits::CONTROL_HANDLES_MAX);
        assert!(refused.contains(&format!("the {} that", limits::CONTROL_HANDLES_MAX)), "{refused}");
    }

    #[test]
    fn a_value_inside_a_value_has_its_own_handles() {
        let (read, _write) = pipe().unwrap();
        let (inner, outer) = collecting(|| {
            give(sys::borrow(&read)).unwrap();
            collecting(|| give(sys::borrow(&read)).unwrap()).1.len()
        });
        assert_eq!((inner, outer.len()), (1, 1));
    }

    #[derive(Debug, Default)]
    struct Probe(Cell<i32>, Cell<i32>);

    impl Leaves for Probe {
        fn go(&self) {
            self.0.set(self.0.get() + 1);
        }

        fn stay(&self) {
            self.1.set(self.1.get() + 1);
        }
    }

    #[test]
    fn what_leaves_with_a_value_goes_or_stays_once() {
        let (read, _write) = pipe().unwrap();
        #[allow(clippy::arc_with_non_send_sync, reason = "one thread looks at it")]
        let probe = Arc::new(Probe::default());
        let counts = || (probe.0.get(), probe.1.get());
        let give = || give_away(sys::borrow(&read), probe.clone()).unwrap();
        collecting(give);
        assert_eq!(counts(), (0, 0), "nobody knows yet");
        settle(true);
        assert_eq!(counts(), (1, 0));
        collecting(give);
        settle(false);
        assert_eq!(counts(), (1, 1));
        // An inner value that is sent while the outer one is encoded.
        collecting(|| {
            give();
            collecting(give);
            leaving().go();
            assert_eq!(counts(), (2, 1));
        });
        drop(leaving());
        assert_eq!(counts(), (2, 2));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            collecting(|| {
                give();
                panic!("this panic is part of the test");
            })
        }));
        assert!(panicked.is_err() && counts() == (2, 3));
        settle(true);
        assert_eq!(counts(), (2, 3), "nothing is left over");
    }
}
