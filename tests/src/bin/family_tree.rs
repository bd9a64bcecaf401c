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
    #[cfg(target_os = "linux")]
    if what == "headless" {
        let program = std::env::current_exe().unwrap();
        return Pool::new(1)?.apply(run, (program, "without a first thread"));
    }
    #[cfg(target_os = "linux")]
    if what == "without a first thread" {
        go_on_without_the_first_thread();
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

#[cfg(target_os = "linux")]
#[mp::task]
fn run(program: std::path::PathBuf, what: &str) {
    Command::new(program).arg(what).status().unwrap();
}

/// Becomes a session of its own, says so when its first thread has ended, and stays.
#[cfg(target_os = "linux")]
fn go_on_without_the_first_thread() -> ! {
    rustix::process::setsid().unwrap();
    std::thread::spawn(|| {
        let first = std::process::id();
        let stat = format!("/proc/self/task/{first}/stat");
        while !std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z ")) {
            std::thread::yield_now();
        }
        println!("headless");
        loop {
            std::thread::park();
        }
    });
    // SAFETY: duty: nothing of this thread is needed any more: all that it has is kept by nobody else.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    unreachable!("it has ended")
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
