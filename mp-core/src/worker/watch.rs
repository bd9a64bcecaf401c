//! The thread that keeps a worker from outliving its parent, reads the control socket, and passes stderr on.

use crate::shm::recorder::WorkerRecorder;
use crate::sys::{self, Handle};
use crate::transport::berth::{Mail, Told};
use crate::transport::control::Inbox;
use std::io;
use std::sync::Arc;
use std::thread;

/// What the thread watches.
pub struct Watched {
    /// Readable when the parent is gone.
    pub parent: Handle,
    /// The way to the parent.
    pub mail: Arc<Mail>,
    /// What of the control socket has been read so far.
    pub inbox: Inbox,
    /// Where the tail of stderr is kept.
    pub recorder: WorkerRecorder,
    /// The read end of our own stderr, and where it goes.
    pub stderr: Option<(Handle, Handle)>,
}

/// Starts the thread.
pub fn start(watched: Watched) -> io::Result<()> {
    thread::Builder::new()
        .name("mp-watch".into())
        .stack_size(128 << 10)
        .spawn(move || watch(watched))
        .map(drop)
}

fn watch(mut watched: Watched) {
    let mut detached = false;
    loop {
        let mut handles = vec![sys::borrow(&watched.parent), watched.mail.handle()];
        if let Some((stderr, _)) = &watched.stderr {
            handles.push(sys::borrow(stderr));
        }
        if detached {
            handles.drain(..2);
        }
        let Ok(mut ready) = sys::poller::ready_any(&handles, None) else { continue };
        if detached {
            ready.splice(0..0, [false, false]);
        }
        if ready.get(2) == Some(&true) {
            pass_on(&watched);
        }
        if ready[0] {
            end(&watched);
        }
        if ready[1] {
            match watched.mail.file_next(&mut watched.inbox) {
                Ok(Told::Nothing) => {}
                Ok(Told::Detach) => detached = true,
                // The parent closed its end, or says things that we do not understand: there is nobody to work for.
                Err(_) => end(&watched),
            }
        }
        if detached && watched.stderr.is_none() {
            return;
        }
    }
}

/// Moves what was written to stderr to where it belongs, and keeps its end for a death report.
fn pass_on(watched: &Watched) {
    let Some((pipe, real)) = &watched.stderr else { return };
    let mut bytes = Vec::new();
    if sys::pipe::read_available(sys::borrow(pipe), &mut bytes, CHUNK).is_ok() {
        watched.recorder.note_stderr(&bytes);
        sys::pipe::write_all(sys::borrow(real), &bytes);
    }
}

/// How much of stderr is moved at once, in bytes.
const CHUNK: usize = 16 << 10;

/// The parent is gone: nothing of this process and what it started may stay.
fn end(watched: &Watched) -> ! {
    pass_on(watched);
    sys::entry::kill_descendants();
    sys::entry::kill_own_group_and_exit()
}
