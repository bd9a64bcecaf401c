//! A family around a fork server, to be killed: `start_tree whole|preload|stopped`. It never ends by itself.

#![allow(clippy::unwrap_used)] // a test stops at the first thing that is not as it should be

use mp::{Context, StartMethod};
use rustix::process::{Signal, getpid, kill_process};
use std::os::unix::process::CommandExt;
use std::process::Command;

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
    let mut command = Command::new("sleep");
    if alone {
        command.process_group(0);
    }
    command.arg("1000").status().unwrap();
}

/// Stops its process, and again each time somebody wakes it.
#[mp::task]
fn stopped() {
    loop {
        kill_process(getpid(), Signal::STOP).unwrap();
    }
}

#[mp::task]
fn nested() {
    let _ = Context::new(StartMethod::ForkServer).pool(1).unwrap().apply(sleep, (false,));
}
