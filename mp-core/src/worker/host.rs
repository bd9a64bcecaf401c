//! A fork server: runs what is to be loaded once, then makes copies of itself that become workers.
//!
//! It has one thread, so nobody watches over it: a signal ends it with its parent. Its copies are its parent's children.

use super::desk::PANICKED;
use super::serve::{Trouble, complain, first_call};
use crate::limits;
use crate::process::current::{self, Identity};
use crate::process::method::set_executable;
use crate::protocol::control::{self, Fork, ToParent, ToWorker};
use crate::sys::fork::Copied;
use crate::sys::socket::Socket;
use crate::sys::{self, Handle};
use crate::task::run::Runner;
use crate::transport::mail::Mail;
use std::io;
use std::path::Path;
use std::process::exit;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// A fork server that is ready to serve.
pub struct Host {
    mail: Arc<Mail>,
}

impl Host {
    /// Becomes a fork server: everything up to the first request.
    pub fn start(mail: Arc<Mail>, orders: control::Host, mut handles: Vec<Handle>) -> Result<Self, Trouble> {
        let os = |what| move |error| Trouble(what, error);
        sys::entry::end_with_parent(orders.parent.0).map_err(os("cannot ask for its parent's death"))?;
        sys::entry::ignore_interrupt().map_err(os("cannot say what SIGINT does"))?;
        let _ = sys::entry::set_name(&orders.name);
        if let Some(path) = orders.executable {
            set_executable(path);
        }
        current::assume(
            &Identity {
                name: orders.name,
                parent: Some(orders.parent),
                depth: orders.depth,
                cpus: Some(orders.cpus as usize).filter(|count| *count > 0),
            },
            None,
        );
        let runner = Runner { pid: std::process::id(), worker: None, on_panic: None };
        for (index, call) in orders.preload.iter().enumerate() {
            if let Err(failure) = first_call(call, &mut handles, runner) {
                let _ = mail.send(&ToParent::PreloadFailed { index: index as u32, failure }, &[]);
                exit(PANICKED);
            }
        }
        // What the C library sets up for a first thread, and for one that gets the memory of a thread before it, is there
        // for all copies, then. One that cannot be started is missed by nobody: the copies say so.
        for name in ["mp-first", "mp-second"] {
            let _ = sys::thread::spawn_bare(name, Box::new(|| ()));
            let _ = settled_threads();
        }
        let host = Self { mail };
        match settled_threads() {
            Ok(1) => host.say(&ToParent::Ready),
            Ok(threads) => host.say(&ToParent::NotForked {
                why: format!(
                    "its preloaded tasks have left {} threads behind, which its copies would not have",
                    threads.saturating_sub(1)
                ),
            }),
            Err(error) => return Err(Trouble("cannot count its threads", error)),
        }
        Ok(host)
    }

    /// Makes copies until nobody is there to ask for more. Returns in the copy, with its control channel.
    pub fn live(self) -> Socket {
        loop {
            // Who waits in a read is woken by the reader of its answer, too, for room that it does not need.
            let _ = sys::poller::ready(self.mail.handle(), None);
            match self.mail.receive() {
                Ok(Some((ToWorker::Fork(order), arrived))) => {
                    match arrived.and_then(|handles| copy(&order, handles)) {
                        Ok(Made::Here(channel)) => return channel,
                        Ok(Made::There(pid)) => self.say(&ToParent::Forked { pid }),
                        Err(error) => self.say(&ToParent::NotForked { why: error.to_string() }),
                    }
                }
                Ok(Some(_)) => complain("a fork server was sent what is not for it", PANICKED),
                Ok(None) => {}
                // Its parent has let go of it, or is gone.
                Err(_) => leave(),
            }
        }
    }

    fn say(&self, message: &ToParent) {
        if self.mail.send(message, &[]).is_err() {
            leave();
        }
    }
}

/// How many threads there are when those are gone that are about to end: whoever joined one may see it a little longer.
fn settled_threads() -> io::Result<u64> {
    let began = Instant::now();
    loop {
        let threads = sys::fork::threads()?;
        if threads == 1 || began.elapsed() > limits::THREADS_SETTLE {
            return Ok(threads);
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// How often the threads are counted.
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// Ends the fork server, and what its preloaded tasks have started.
fn leave() -> ! {
    sys::entry::kill_descendants();
    sys::entry::kill_own_group_and_exit()
}

/// Where the copy is.
enum Made {
    /// This is it; its control channel.
    Here(Socket),
    /// Its number.
    There(u32),
}

fn copy(order: &Fork, handles: Vec<Handle>) -> io::Result<Made> {
    let mut handles = handles.into_iter();
    let missing = || io::Error::other("a descriptor is missing");
    let channel = Socket::from_handle(handles.next().ok_or_else(missing)?);
    let mut stream = |came: bool| if came { handles.next().ok_or_else(missing).map(Some) } else { Ok(None) };
    let (stdout, stderr) = (stream(order.streams.0)?, stream(order.streams.1)?);
    match sys::fork::sibling()? {
        Copied::Original(pid) => Ok(Made::There(pid)),
        Copied::Copy => {
            let directory = order.current_dir.as_deref().map(Path::new);
            match sys::fork::take_place(stdout, stderr, &order.env, directory) {
                Ok(()) => Ok(Made::Here(channel)),
                Err(error) => complain(&format!("a worker process cannot begin: {error}"), PANICKED),
            }
        }
    }
}
