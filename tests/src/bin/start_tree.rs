//! A family around a fork server, to be killed: `start_tree whole|preload|stopped`; or, as `start_tree held`, one that
//! kills itself before its server comes to `mp::main!()`, with a copy left over that holds all its descriptors. It never ends by
//! itself.

#![allow(clippy::unwrap_used)] // a test stops at the first thing that is not as it should be

use mp::{Context, StartMethod};
use mp_tests::{Signal, own_group, send_self, sleeper};

fn main() -> Result<(), mp::Error> {
    #[cfg(unix)]
    held::before_main();
    mp::main!();
    let server = || Context::new(StartMethod::ForkServer);
    match std::env::args().nth(1).as_deref() {
        Some("preload") => server().preload(sleep, (false,)).spawn(spin, ())?.join(),
        Some("stopped") => server().preload(stopped, ()).spawn(spin, ())?.join(),
        #[cfg(unix)]
        Some("held") => held::leave_a_copy(),
        _ => {
            let context = server();
            let pool = context.pool(4)?;
            drop(pool.apply_async(sleep, (false,)));
            drop(pool.apply_async(sleep, (true,)));
            drop(pool.apply_async(stopped, ()));
            drop(pool.apply_async(nested, ()));
            context.spawn(spin, ())?.join()
        }
    }
}

#[mp::task]
fn spin() {
    loop {
        std::hint::spin_loop();
    }
}

/// Has a child, in a process group of its own if so wished.
#[mp::task]
fn sleep(alone: bool) {
    let mut command = sleeper();
    if alone {
        own_group(&mut command);
    }
    command.status().unwrap();
}

/// Stops its process, and again each time somebody wakes it.
#[mp::task]
fn stopped() {
    loop {
        send_self(Signal::Stop);
    }
}

#[mp::task]
fn nested() {
    let _ = Context::new(StartMethod::ForkServer).pool(1).unwrap().apply(sleep, (false,));
}

#[cfg(unix)]
mod held {
    use super::spin;
    use mp::{Context, StartMethod};
    use mp_tests::{Signal, living_children, send_self, until};
    use rustix::process::getppid;

    /// A server waits until its program is gone.
    pub fn before_main() {
        let mut arguments = std::env::args().skip(1);
        if arguments.next().as_deref() == Some("held") && arguments.next().as_deref() == Some("--mp-worker") {
            until(|| {
                let parent = getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
                !has_argument(parent.cast_unsigned(), "held")
            });
        }
    }

    fn has_argument(pid: u32, wanted: &str) -> bool {
        let arguments = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        arguments.split('\0').any(|argument| argument == wanted)
    }

    /// Has a server started, and leaves a copy that holds its channel.
    pub fn leave_a_copy() -> Result<(), mp::Error> {
        std::thread::spawn(|| Context::new(StartMethod::ForkServer).spawn(spin, ()));
        // Not before it is a program of its own: who looks at it in the middle of that sees nobody.
        until(|| living_children(std::process::id()).iter().any(|&child| has_argument(child, "--mp-worker")));
        // SAFETY: duty: the copy does nothing but sleep.
        if unsafe { libc::fork() } == 0 {
            loop {
                // SAFETY: duty: none, the call takes nothing.
                unsafe { libc::pause() };
            }
        }
        send_self(Signal::Kill);
        Ok(())
    }
}
