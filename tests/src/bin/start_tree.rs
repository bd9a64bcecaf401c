//! A family around a fork server, to be killed: `start_tree whole|preload|stopped`. It never ends by itself.

#![allow(clippy::unwrap_used)] // a test stops at the first thing that is not as it should be

use mp::{Context, StartMethod};
use mp_tests::{Signal, own_group, send_self, sleeper};

fn main() -> Result<(), mp::Error> {
    mp::main!();
    let server = || Context::new(StartMethod::ForkServer);
    match std::env::args().nth(1).as_deref() {
        Some("preload") => server().preload(sleep, (false,)).spawn(spin, ())?.join(),
        Some("stopped") => server().preload(stopped, ()).spawn(spin, ())?.join(),
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
