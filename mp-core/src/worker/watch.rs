//! The threads that keep a worker from outliving its parent, read the control socket, and pass stderr on.

use crate::process::own::Own;
use crate::shm::recorder::WorkerRecorder;
use crate::sys::pipe::Available;
use crate::sys::thread::Kept;
use crate::sys::{self, Handle};
use crate::transport::mail::{Mail, Told, is_end};
use std::io;
use std::sync::{Arc, Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

/// What the threads need.
pub struct Watched {
    /// Readable when the parent is gone.
    pub parent: Handle,
    /// Its process id.
    pub pid: u32,
    /// The way to the parent.
    pub mail: Arc<Mail>,
    /// Where the tail of stderr is kept.
    pub recorder: WorkerRecorder,
    /// The read end of our own stderr, and where it goes.
    pub stderr: Option<(Handle, Handle)>,
    /// Whether this process has one call only, so that its end may be near.
    pub has_one_call: bool,
}

/// Starts the threads.
pub fn start(watched: Watched) -> io::Result<()> {
    let Watched { parent, pid, mail, recorder, stderr, has_one_call } = watched;
    let parent = sys::entry::watch_parent(parent, pid);
    let stderr = stderr.map(|(pipe, real)| {
        static ONCE: Once = Once::new();
        // Without room for one more exit handler the parent may pass on a piece twice.
        ONCE.call_once(|| drop(sys::process::on_exit(let_pass)));
        Tee { pipe, real, recorder }
    });
    if has_one_call {
        sys::thread::spawn_near("mp-watch", move |kept| watch(&parent, &mail, stderr, Some(kept)))?;
    } else {
        sys::thread::spawn_bare("mp-watch", Box::new(move || watch(&parent, &mail, stderr, None)))?;
    }
    sys::entry::heed_parents_death(pid)
}

/// What is written to stderr, on its way to where it belongs.
struct Tee {
    pipe: Handle,
    real: Handle,
    recorder: WorkerRecorder,
}

/// How long the watch thread stays where it was started if it has nothing to do: a process that lives no longer is best taken
/// apart where it ran.
const STAY: Duration = Duration::from_millis(10);

fn watch(parent: &Handle, mail: &Mail, mut stderr: Option<Tee>, mut kept: Option<Kept>) {
    // How many threads of `mp` there are besides this one and the one that runs tasks.
    let mut others = 0;
    loop {
        // Nothing is allocated before something happens: most workers never need a second heap.
        let (parent, mailbox, patience) = (sys::borrow(parent), mail.handle(), kept.map(|_| STAY));
        let ready = match &stderr {
            Some(tee) => sys::poller::ready_each([parent, mailbox, sys::borrow(&tee.pipe)], patience),
            None => sys::poller::ready_each([parent, mailbox], patience)
                .map(|[parent, mail]| [parent, mail, false]),
        };
        if let Some(kept) = kept.take() {
            kept.let_go();
        }
        let Ok(ready) = ready else { continue };
        if ready[2]
            && let Some(tee) = stderr.take()
        {
            // A thread of its own, from the first word on: where stderr leads to may stand still, and the parent's death
            // must be noticed all the same. Without one, what is written waits for the parent to find it.
            let began = sys::thread::spawn_bare("mp-stderr", Box::new(move || tee.pass_on()));
            others += usize::from(began.is_ok());
        }
        // What the parent said before it died counts: it may have detached this process. Its end of the socket closes
        // before its death shows, so the end of the stream comes after all of that.
        if ready[1] {
            match mail.file_next() {
                // The main thread may have been faster.
                Ok(Told::News | Told::Nothing) => {}
                Ok(Told::Detach) => return sys::entry::outlive_parent(),
                Ok(Told::Broken) => return watch_by_number(others),
                Err(error) if is_lost(&error) => return watch_by_number(others),
                // The parent closed its end: there is nobody to work for.
                Err(error) if is_end(&error) => end(others),
                // It says what we do not understand, or gives what this process has no room for.
                Err(error) => {
                    let what = format!("mp: a worker process cannot go on: {error}\n");
                    sys::pipe::pass_on_to_stderr(what.as_bytes(), PASS_WITHIN);
                    end(others)
                }
            }
        } else if ready[0] {
            return watch_by_number(others);
        }
    }
}

/// Whether our own end of the channel is not what it was.
fn is_lost(error: &io::Error) -> bool {
    error.raw_os_error().is_some() && error.kind() != io::ErrorKind::ConnectionReset
}

/// How often the parent's number is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The parent is gone, or the task has closed our descriptors under us: the system knows.
fn watch_by_number(others: usize) {
    while !sys::entry::is_orphaned() {
        thread::sleep(LOOK_EVERY);
    }
    end(others)
}

/// Held while a piece of stderr is taken, written and noted as passed on.
static PASSING: Own<Mutex<()>> = Own::new();

fn passing() -> &'static Mutex<()> {
    PASSING.get_or_init(Mutex::default)
}

/// How long the end of this process waits for a piece that is being passed on: where stderr leads to may stand still.
const PASS_WITHIN: Duration = Duration::from_millis(200);

/// At an orderly exit: lets the piece that is under way arrive, and keeps the next one where the parent finds it. Without
/// this the parent passes on once more what the exit came upon.
extern "C" fn let_pass() {
    let began = Instant::now();
    while began.elapsed() < PASS_WITHIN {
        if let Ok(passing) = passing().try_lock() {
            return std::mem::forget(passing);
        }
        thread::sleep(Duration::from_micros(100));
    }
}

impl Tee {
    /// Moves what is written to stderr to where it belongs, and keeps its end for a death report, until nobody can write
    /// there any more.
    fn pass_on(&self) {
        let Self { pipe, real, recorder } = self;
        let mut open = true;
        while open {
            // An interrupted wait looks for nothing.
            let _ = sys::poller::ready(sys::borrow(pipe), None);
            let _passing = passing().lock();
            let bytes = recorder.take_stderr(|room| match sys::pipe::read_now(sys::borrow(pipe), room) {
                Ok(Available::Bytes(count)) => count,
                Ok(Available::End) | Err(_) => {
                    open = false;
                    0
                }
            });
            sys::pipe::write_all(sys::borrow(real), &bytes);
            recorder.stderr_passed_on();
        }
    }
}

/// The parent is gone: nothing of this process and what it started may stay.
fn end(others: usize) -> ! {
    sys::entry::hold_other_threads(others);
    sys::entry::kill_descendants();
    sys::entry::kill_own_group_and_exit()
}
