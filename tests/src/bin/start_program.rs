//! A program whose processes are started in other ways: `start_program CASE [EXECUTABLE]`.

#![allow(clippy::unwrap_used)] // a test stops at the first thing that is not as it should be

use mp::{Context, Fork, StartMethod};
use mp_tests::living_children;
use std::io::Read;

#[mp::task]
fn double(x: u64) -> u64 {
    2 * x
}

#[mp::task]
fn half_a_line() {
    print!("half a line");
}

#[mp::task]
fn rest(text: &str) {
    print!("{text}");
}

#[mp::task]
fn read_all() -> usize {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).unwrap()
}

/// How many wrappers this program has come through, and its file.
#[mp::task]
fn file() -> String {
    let wrapped = std::env::var("WRAPPED").unwrap_or_default();
    format!("{wrapped} {}", std::env::current_exe().unwrap().display())
}

#[mp::task]
fn leave(code: i32) {
    std::process::exit(code);
}

/// The file that a process of a process runs.
#[mp::task]
fn file_below() -> Result<String, mp::Error> {
    mp::spawn(file, ())?.join()
}

fn main() -> Result<(), mp::Error> {
    mp::main!();
    let case = std::env::args().nth(1).unwrap();
    // SAFETY: duty: a copy can live with what it finds: this program has one thread.
    let fork = Context::new(StartMethod::Fork(unsafe { Fork::new() }));
    match case.as_str() {
        "fork" => {
            print!("half a line");
            fork.spawn(rest, (", and",))?.join()?;
            println!(" the rest");
        }
        "server" => {
            let server = Context::new(StartMethod::ForkServer).preload(half_a_line, ());
            server.spawn(rest, (", and",))?.join()?;
            println!(" the rest");
        }
        "shared" => {
            let double =
                |x| mp::Process::new(double, (x,)).start_method(StartMethod::ForkServer).start()?.join();
            assert_eq!([double(1)?, double(2)?], [2, 4]);
            let pool = mp::Pool::builder().workers(2).start_method(StartMethod::ForkServer).build()?;
            assert_eq!(pool.map(self::double, 0..3_u64)?, [0, 2, 4]);
            drop(pool);
            let servers = || living_children(std::process::id()).len();
            assert_eq!(servers(), 1);
            let context = Context::new(StartMethod::ForkServer);
            assert_eq!(context.spawn(self::double, (5,))?.join()?, 10);
            assert_eq!(servers(), 2);
            drop(context);
            assert_eq!(servers(), 1);
            println!("one for all, one for a context");
        }
        "input" => {
            let there = fork.spawn(read_all, ())?.join()?;
            println!("{there} bytes, then {}", read_all());
        }
        "spawned" | "forked" => {
            mp::set_executable(std::env::args().nth(2).unwrap());
            let method = if case == "forked" { StartMethod::ForkServer } else { StartMethod::Spawn };
            let outcome = Context::new(method).spawn(double, (21,)).and_then(|process| process.join());
            match outcome {
                Ok(value) => println!("{value}"),
                Err(error) => println!("{error}"),
            }
        }
        "not again" => {
            let pool = mp::Pool::builder().workers(1).name("again").build()?;
            assert_eq!(pool.apply(double, (21,))?, 42);
            mp::set_executable(std::env::args().nth(2).unwrap());
            assert!(pool.apply(leave, (3,)).unwrap_err().is_worker_lost());
            let error = pool.apply(double, (21,)).unwrap_err();
            assert_eq!(error.worker_lost().unwrap().status.unwrap().code(), Some(3));
            println!("{error}");
        }
        "spawned below" | "forked below" => {
            mp::set_executable(std::env::args().nth(2).unwrap());
            let method =
                if case.starts_with("forked") { StartMethod::ForkServer } else { StartMethod::Spawn };
            // The path may be relative to where we are.
            let root = std::env::temp_dir();
            let process = Context::new(method).process(file_below, ()).current_dir(root);
            println!("{}", process.start()?.join()??);
        }
        other => panic!("{other}?"),
    }
    Ok(())
}
