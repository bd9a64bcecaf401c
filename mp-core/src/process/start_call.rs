//! A call that goes with the first message to a process: an initializer, a finalizer, what a fork server runs once.

use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::protocol::control::{FirstArguments, FirstCall, error_type_of};
use crate::shm::slab::Slab;
use crate::sys::{self, BorrowedHandle, Handle};
use crate::task::arguments::{Args, Task};
use crate::task::entry::Entry;
use crate::task::registry;
use crate::wire::outgoing::Outgoing;
use std::fmt;

/// The call.
pub struct StartCall {
    /// The task.
    pub entry: &'static Entry,
    /// Its encoded arguments.
    pub arguments: Vec<u8>,
    /// Their descriptors.
    pub handles: Vec<Handle>,
    /// What travels.
    pub message: FirstCall,
    /// Where long arguments lie.
    slab: Option<Slab>,
}

impl StartCall {
    /// A call of `task`.
    ///
    /// # Errors
    /// If it is not a task, or the arguments cannot be encoded.
    #[track_caller]
    pub fn new<F, P, A>(task: F, args: &A) -> Result<Self, Error>
    where
        F: Task<P>,
        A: Args<P>,
    {
        let (slot, entry) = registry::of(task)?;
        let (mut bytes, mut handles) = (Vec::new(), Vec::new());
        let mut outgoing = Outgoing::whole(&mut bytes, &mut handles);
        let written = args.write(&mut outgoing);
        outgoing.settle(written.is_ok());
        written.map_err(|error| error.for_task(entry.name))?;
        let failed = |error| Error::os(format!("cannot store the arguments of `{}`", entry.name), error);
        let (arguments, slab) = if bytes.len() <= FIRST_ARGUMENTS_INLINE {
            (FirstArguments::Inline(bytes.clone()), None)
        } else {
            let slab = Slab::create(bytes.len()).map_err(failed)?;
            slab.pour([bytes.as_slice()].into_iter()).map_err(failed)?;
            (FirstArguments::Attached { len: bytes.len() as u64 }, Some(slab))
        };
        let error_type = error_type_of::<F::Output>();
        let message = FirstCall { slot: slot.0, arguments, handles: handles.len() as u32, error_type };
        Ok(Self { entry, arguments: bytes, handles, message, slab })
    }

    /// What goes with the message, in the order in which the other side takes it.
    pub fn attached(&self) -> impl Iterator<Item = BorrowedHandle<'_>> {
        self.slab.iter().map(Slab::handle).chain(self.handles.iter().map(sys::borrow))
    }
}

/// Refuses calls that have more descriptors than can go with a first message that has `own` of its own.
///
/// # Errors
/// Of kind [`InvalidInput`](ErrorKind::InvalidInput).
pub fn check_room<'a>(calls: impl Iterator<Item = &'a StartCall>, own: usize) -> Result<(), Error> {
    let mut tasks = Vec::new();
    let mut count = 0;
    for call in calls {
        tasks.push(format!("`{}`", call.entry.name));
        count += call.attached().count();
    }
    let max = limits::CONTROL_HANDLES_MAX - own;
    if count <= max {
        return Ok(());
    }
    let message = format!(
        "{} would take {count} descriptors along, and the start of a process can take {max} (a queue has four of them, an end of \
         a pipe, a lock, shared memory and long arguments one): give them less, or send it later",
        tasks.join(" and ")
    );
    Err(Error::new(ErrorKind::InvalidInput, message))
}

/// Longer arguments travel in shared memory, in bytes: a socket takes this much at once even from a parent whose child
/// does not read yet.
const FIRST_ARGUMENTS_INLINE: usize = 16 << 10;

impl fmt::Debug for StartCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StartCall").field(&self.entry.name).finish()
    }
}
