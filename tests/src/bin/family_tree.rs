//! A family of processes to be killed: busy, deaf, stopped, nested, with children of their own; or, as
//! `family_tree chatty`, with much to say on stderr; or, as `family_tree plain`, with children that nobody but the kernel
//! looks after when the others are killed. It never ends by itself.

#![allow(clippy::unwrap_used)] // a test stops at the first thing that is not as it should be

use mp::Pool;
use mp_tests::{Signal, own_group, send_self};
use std::process::Command;

fn main() -> Result<(), mp::Error> {
    mp::main!();
    let what = std::env::args().nth(1).unwrap_or_default();
    if what == "asleep" {
        loop {
            std::thread::park();
        }
    }
    if what == "chatty" {
        return Pool::new(1)?.apply(chatty, ());
    }
    if what == "plain" {
        let pool = Pool::new(2)?;
        drop(pool.apply_async(sleep, (false,)));
        drop(pool.apply_async(nested, ()));
        return mp::spawn(sleep, (false,))?.join();
    }
    let pool = Pool::new(6)?;
    drop(pool.apply_async(sleep, (false,)));
    drop(pool.apply_async(sleep, (true,)));
    drop(pool.apply_async(deaf, ()));
    drop(pool.apply_async(stopped, ()));
    drop(pool.apply_async(nested, ()));
    let _process = mp::spawn(spin, ())?;
    pool.apply(spin, ())
}

#[mp::task]
fn spin() {
    loop {
        std::hint::spin_loop();
    }
}

#[mp::task]
fn chatty() {
    loop {
        eprintln!("and another thing");
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

#[cfg(not(windows))]
fn sleeper() -> Command {
    mp_tests::sleeper()
}

/// The name of the program tells the family.
#[cfg(windows)]
fn sleeper() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("asleep");
    command
}

/// Hears no signals, where there are some.
#[mp::task]
fn deaf() {
    #[cfg(not(windows))]
    // SAFETY: duty: a valid set: it is filled before it is used.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
    }
    spin();
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
    let _ = Pool::new(1).unwrap().apply(sleep, (false,));
}
