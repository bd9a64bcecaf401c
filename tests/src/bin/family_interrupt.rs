//! A program at a terminal that is interrupted: `family_interrupt CASE [forkserver]`. It says "ready" when Ctrl-C may come.

#![allow(clippy::unwrap_used)] // a test stops at the first thing that is not as it should be

use mp::{Error, Pool, StartMethod};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

static HANDLED: AtomicBool = AtomicBool::new(false);

fn main() -> Result<(), Error> {
    mp::main!();
    #[cfg(not(windows))]
    become_foreground();
    let case = std::env::args().nth(1).unwrap();
    #[cfg(not(windows))]
    if case == "handler" {
        // SAFETY: duty: an async-signal-safe handler: it stores to an atomic.
        unsafe { libc::signal(libc::SIGINT, handle as *const () as libc::sighandler_t) };
    }
    let short = Duration::from_millis(200);
    let method = std::env::args().nth(2).map_or(StartMethod::Spawn, |_| StartMethod::ForkServer);
    let builder = Pool::builder().workers(2).start_method(method);
    let pool = match case.as_str() {
        "twice" => builder.grace(Duration::from_secs(3600)),
        "starting" => builder.grace(short).initializer(stuck, (1_u64,)),
        "stopping" => builder.workers(1).grace(short),
        "inline" | "last" => builder.backend(mp::Backend::Inline),
        _ => builder.grace(short),
    }
    .build()?;
    match case.as_str() {
        "short" | "inline" => report(pool.map(short_task, 0..u64::MAX).map(drop)),
        "iterator" => report(pool.imap(short_task, 0..).find_map(Result::err).map_or(Ok(()), Err)),
        "joining" => report(join_a_stuck_one(&pool)),
        "stuck" | "twice" => report(pool.map(stuck, [0_u64, 1, 2, 3]).map(drop)),
        "starting" => report(wait_for_the_start(&pool)),
        "handler" => {
            pool.map(short_task, 0..2000_u64)?;
            while !HANDLED.load(Ordering::Relaxed) {
                pool.map(short_task, 0..10_u64)?;
            }
            println!("handled");
        }
        "beside" => {
            let other = Pool::new(1)?;
            report(pool.map(stuck, [0_u64, 1]).map(drop));
            // It had no work when Ctrl-C came.
            other.map(short_task, 0..10_u64)?;
        }
        #[cfg(not(windows))]
        "early" => interrupted_at_once()?,
        #[cfg(not(windows))]
        "last" => report(pool.apply(interrupt, ())),
        #[cfg(not(windows))]
        "stopping" => interrupt_the_drop(&pool),
        #[cfg(not(windows))]
        "terminal" => {
            stty("tostop");
            println!("ready");
            for outcome in pool.map(at_the_terminal, [0_u64, 1])? {
                println!("{outcome}");
            }
        }
        "idle" => {
            pool.map(short_task, 0..10_u64)?;
            println!("ready");
            loop {
                std::thread::park();
            }
        }
        other => panic!("{other}?"),
    }
    drop(pool);
    println!("in order");
    #[cfg(not(windows))]
    std::io::stdin().read_line(&mut String::new()).unwrap();
    Ok(())
}

/// From here on the terminal at our stdin sends its Ctrl-C to us.
#[cfg(not(windows))]
fn become_foreground() {
    // The tests may run where it is ignored, as in the background of a script.
    // SAFETY: duty: a valid disposition: the default is one.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    rustix::process::setsid().unwrap();
    // SAFETY: duty: a request that takes a number: this one does.
    assert_eq!(unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY as _, 0) }, 0);
}

#[cfg(not(windows))]
extern "C" fn handle(_: libc::c_int) {
    HANDLED.store(true, Ordering::Relaxed);
}

fn wait_for_the_start(pool: &Pool) -> Result<(), Error> {
    let handle = pool.apply_async(short_task, (1,));
    // Not the initializer: Ctrl-C ends a program that waits for nothing.
    println!("ready");
    handle.wait().map(drop)
}

/// As who looks for results in callbacks only.
fn join_a_stuck_one(pool: &Pool) -> Result<(), Error> {
    drop(pool.apply_async(stuck, (0,)));
    pool.close();
    pool.join()
}

fn report(outcome: Result<(), Error>) {
    match outcome {
        Ok(()) => println!("nothing happened"),
        Err(error) if error.is_interrupted() => println!("interrupted"),
        Err(error) => println!("{error:?}"),
    }
}

#[mp::task]
fn short_task(number: u64) -> u64 {
    std::thread::sleep(Duration::from_micros(200));
    if number == 100 {
        println!("ready");
    }
    number
}

/// Leaves a call that has the grace when the pool is dropped, and one that the drop answers at once, by Ctrl-C.
#[cfg(not(windows))]
fn interrupt_the_drop(pool: &Pool) {
    let running = pool.apply_async(stuck, (2,));
    while !running.is_running() {
        std::thread::yield_now();
    }
    pool.apply_async(short_task, (1,)).on_done(|_| interrupt());
}

/// Over and over a call that comes to a worker who waits for it.
#[cfg(not(windows))]
fn interrupted_at_once() -> Result<(), Error> {
    let rounds = if mp_tests::is_emulated() { 40 } else { 400 };
    for round in 0..rounds {
        let pool = Pool::builder().workers(1).grace(Duration::ZERO).build()?;
        pool.map(short_task, 0..2_u64)?;
        let outcome = if round % 2 == 0 {
            pool.apply(interrupt_the_parent, ())
        } else {
            pool.apply_async(interrupt_the_parent, ()).wait()
        };
        assert!(outcome.is_err_and(|error| error.is_interrupted() || error.is_worker_lost()));
    }
    Ok(())
}

#[cfg(not(windows))]
#[mp::task]
fn interrupt_the_parent() {
    let parent = rustix::process::getppid().unwrap();
    rustix::process::kill_process(parent, rustix::process::Signal::INT).unwrap();
    loop {
        std::thread::park();
    }
}

/// As if Ctrl-C came right now.
#[cfg(not(windows))]
#[mp::task]
fn interrupt() {
    // SAFETY: duty: none, the call takes a number.
    unsafe { libc::raise(libc::SIGINT) };
}

/// Changes a setting of the terminal.
#[cfg(not(windows))]
fn stty(setting: &str) {
    let terminal = std::fs::File::open("/dev/tty").unwrap();
    assert!(std::process::Command::new("stty").arg(setting).stdin(terminal).status().unwrap().success());
}

/// Writes to the terminal, changes its settings, asks somebody there, and has another program ask.
#[cfg(not(windows))]
#[mp::task]
fn at_the_terminal(number: u64) -> String {
    println!("task {number} wrote");
    // In one piece: the other task writes to the same terminal.
    std::io::Write::write_all(&mut std::io::stderr(), format!("task {number} complained\n").as_bytes())
        .unwrap();
    stty("tostop");
    let mut terminal = std::fs::File::open("/dev/tty").unwrap();
    let read = std::io::Read::read(&mut terminal, &mut [0]).map_err(|error| error.raw_os_error());
    let mut other = std::process::Command::new("sh");
    other.args(["-c", "read word </dev/tty"]).stderr(std::process::Stdio::null());
    format!("task {number} read: {:?}, {}", read == Err(Some(libc::EIO)), other.status().unwrap().success())
}

#[mp::task]
fn stuck(number: u64) {
    if number == 0 {
        println!("ready");
    }
    loop {
        std::hint::spin_loop();
    }
}
