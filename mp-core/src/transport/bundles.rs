//! The descriptors of calls, from the parent's main thread to the worker's: past the watch thread, which would have to be woken for
//! each of them.
//!
//! ```text
//!  parent  first call with descriptors ─► in the control socket, as any message
//!          second ─► makes the line, sends its end ─► in the line, and so for all that follow
//!  worker  looks in its mail, where it finds them or the end of the line; from then on in the line
//! ```
//! A bundle is sent before its call is published, so it is there when the call is. Those of calls that were taken back are thrown
//! away when the next one is asked for.

use super::control;
use crate::ids::CallSeq;
use crate::sys::packet::{Packets, Patient};
use crate::sys::{self, Handle};
use std::io::{self, IoSlice};

/// The parent's end.
#[derive(Debug, Default)]
pub enum Sending {
    /// No call had descriptors.
    #[default]
    Unused,
    /// One had: the next one is worth a line.
    Used,
    /// There is one.
    Open(Packets),
}

/// The worker's end. `None`: there was no room for it.
#[derive(Debug)]
pub struct Receiving(Option<Packets>);

/// A new line: our end, and what is to be sent to the worker.
pub fn line() -> io::Result<(Packets, Handle)> {
    let (ours, theirs) = Packets::pair()?;
    let theirs = sys::duplicate(theirs.handle())?;
    Ok((ours, theirs))
}

/// Sends the descriptors of a call; false if there is no room now, or nobody at the other end.
///
/// # Errors
/// A worker without that end which `is_idle` is dead, or had no room for the line: it will never take them.
pub fn send(
    line: &Packets,
    call: CallSeq,
    handles: &[Handle],
    is_idle: impl FnOnce() -> bool,
) -> io::Result<bool> {
    let handles: Vec<_> = handles.iter().map(sys::borrow).collect();
    match line.send(&[IoSlice::new(&call.0.to_le_bytes())], &handles, Patient::No) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe && !is_idle() => Ok(false),
        Err(error) => Err(error),
    }
}

impl Receiving {
    /// The end that came from the parent.
    pub fn from_handle(handle: Option<Handle>) -> Self {
        Self(handle.map(Packets::from_handle))
    }

    /// The descriptors of a call that has been published; `None` if the parent is gone.
    ///
    /// # Errors
    /// [`is_no_room`](control::is_no_room) if there is none for them in this process.
    pub fn receive(&self, call: CallSeq) -> io::Result<Option<Vec<Handle>>> {
        let line = self.0.as_ref().ok_or_else(control::no_room)?;
        loop {
            let (mut of, mut handles) = ([0; 8], Vec::new());
            let arrived = match line.receive(&mut of, &mut handles, Patient::Yes) {
                Ok(0) => return Ok(None),
                Ok(_) => Ok(handles),
                Err(error) if control::is_no_room(&error) => Err(control::no_room()),
                Err(error) => return Err(error),
            };
            let of = u64::from_le_bytes(of);
            if of == call.0 {
                return arrived.map(Some);
            }
            if of > call.0 {
                return Err(io::Error::other("a call without its descriptors"));
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sys::pipe::Available;
    use std::time::{Duration, Instant};

    #[test]
    fn each_call_gets_its_own_and_those_taken_back_are_closed() {
        let (ours, theirs) = line().expect("a line");
        let theirs = Receiving::from_handle(Some(theirs));
        let (pipe, kept) = sys::pipe::pipe().expect("a pipe");
        for call in [3, 4, 7] {
            let copies = (0..call).map(|_| sys::duplicate(sys::borrow(&kept)).expect("a descriptor"));
            assert!(send(&ours, CallSeq(call), &copies.collect::<Vec<_>>(), || true).expect("room"));
        }
        drop(kept);
        let received = theirs.receive(CallSeq(4)).expect("a bundle").expect("a parent");
        assert_eq!(received.len(), 4);
        drop(received);
        assert_eq!(theirs.receive(CallSeq(7)).expect("a bundle").map(|handles| handles.len()), Some(7));
        // All that wrote to the pipe are closed, but for what a process has for a moment that another test starts just now.
        let began = Instant::now();
        while !matches!(sys::pipe::read_now(sys::borrow(&pipe), &mut [0]), Ok(Available::End)) {
            assert!(began.elapsed() < Duration::from_secs(60), "somebody has kept one");
            std::thread::yield_now();
        }
        assert!(send(&ours, CallSeq(9), &[], || true).expect("room"));
        assert!(theirs.receive(CallSeq(8)).is_err(), "it was never sent");
        drop(ours);
        assert!(theirs.receive(CallSeq(10)).expect("the end").is_none());
    }
}
