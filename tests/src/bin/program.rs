//! The program that `tests/entry.rs` runs: `program WHAT [gate]`. Each thing it does needs a process that is not the test's.

#![allow(clippy::unwrap_used, reason = "what is not as it should be ends the program")]

#[path = "../../tests/api/gate.rs"]
#[allow(dead_code)] // only the side of the tasks is used here
mod gate;

use gate::wait_at;
use mp::{Backend, Pool, Process};
use std::io::Write;

#[mp::task]
fn say(text: &str) {
    println!("task: {text}");
    std::io::stdout().flush().unwrap();
    // In one piece: `eprintln!` writes the parts of a line one by one.
    std::io::stderr().write_all(format!("task on stderr: {text}\n").as_bytes()).unwrap();
}

#[mp::task]
fn processors() -> usize {
    mp::cpu_count().get()
}

#[mp::task]
fn arguments() -> Vec<String> {
    std::env::args().skip(1).collect()
}

#[mp::task]
fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[mp::task]
fn refuse() -> Result<(), String> {
    Err("the disk is full".into())
}

/// Starts a process, names it to the gate, and leaves it behind.
#[cfg(not(windows))]
#[mp::task]
#[allow(clippy::zombie_processes, reason = "init waits for it")]
fn leave_behind(gate: &str) {
    let mut command = mp_tests::sleeper();
    let null = std::process::Stdio::null;
    let child = command.stdin(null()).stdout(null()).stderr(null()).spawn().unwrap();
    gate::knock(gate, child.id().into());
}

#[cfg(not(windows))]
fn close_stderr(gate: &str) -> Result<(), mp::Error> {
    // From here on nothing is made for the first time.
    mp::spawn(processors, ())?.join()?;
    // SAFETY: duty: nobody in this program uses it any more.
    unsafe { libc::close(2) };
    let processes = [mp::spawn(wait_at, (gate, 1))?, mp::spawn(wait_at, (gate, 1))?];
    for _ in 0..2 {
        mp::spawn(say, ("something",))?.join()?;
    }
    gate::knock(gate, 2);
    for process in processes {
        process.join()?;
    }
    Ok(())
}

/// Says something where nobody listens, and is killed.
#[cfg(target_os = "linux")]
#[mp::task]
fn say_and_wait_at(gate: &str) {
    std::io::stderr().write_all(b"task on stderr: last words\n").unwrap();
    wait_at(gate, 1);
}

/// Ends a worker and a process that have said something where nothing more is taken.
#[cfg(target_os = "linux")]
fn fill_stderr(gate: &str) -> Result<(), mp::Error> {
    let stderr = std::io::stderr();
    rustix::io::ioctl_fionbio(&stderr, true).unwrap();
    while rustix::io::write(&stderr, &[b'.'; 512]).is_ok() {}
    rustix::io::ioctl_fionbio(&stderr, false).unwrap();
    let pool = Pool::new(1)?;
    let handle = pool.apply_async(say_and_wait_at, (gate,));
    let child = mp::Process::new(say_and_wait_at, (gate,)).start()?;
    // Until both have said it.
    wait_at(gate, 1);
    pool.terminate();
    child.kill()?;
    println!("{} {}", handle.wait().unwrap_err().is_closed(), child.join().unwrap_err());
    Ok(())
}

fn main() -> Result<(), mp::Error> {
    mp::main!();
    println!("main runs");
    let mut words = std::env::args().skip(1);
    let what = words.next().unwrap();
    let gate = words.next().unwrap_or_default();
    match what.as_str() {
        "say" => {
            Pool::new(1)?.apply(say, ("one",))?;
            mp::spawn(say, ("two",))?.join()?;
        }
        "say much" => {
            for number in 0..100 {
                mp::spawn(say, (&format!("number {number}"),))?.join()?;
            }
        }
        #[cfg(target_os = "linux")]
        "fill stderr" => fill_stderr(&gate)?,
        "processors" => {
            let pool = Pool::new(2)?;
            println!("{} {}", mp::cpu_count(), pool.apply(processors, ())?);
            println!("{}", mp::spawn(processors, ())?.join()?);
        }
        "arguments" => println!("{:?}", Pool::new(1)?.apply(arguments, ())?),
        "detach" => {
            let process = mp::spawn(wait_at, (&gate, 1))?;
            println!("{}", process.pid());
            process.detach()?;
        }
        #[cfg(not(windows))]
        "detach with a child" => mp::spawn(leave_behind, (&gate,))?.detach()?,
        "leave" => {
            // Without a handle, so that it is the first of those that are left.
            let waited = Process::new(wait_at, (&gate, 1)).start()?.pid();
            let daemon = Process::new(wait_at, (&gate, 2)).daemon(true).start()?;
            println!("{waited} {}", daemon.pid());
            drop(mp::spawn(wait_at, (&gate, 3))?);
            gate::knock(&gate, 4);
        }
        "leave a pool" => {
            let pool = Pool::new(2)?;
            drop(pool.apply_async(wait_at, (&gate, 1)));
            std::mem::forget(pool);
        }
        "exit in main" => {
            let _pool = Pool::new(2)?;
            let _process = mp::spawn(wait_at, (&gate, 1))?;
            std::process::exit(5);
        }
        "panic in main" => {
            let _process = mp::spawn(wait_at, (&gate, 1))?;
            let _pool = Pool::new(2)?;
            panic!("main panics");
        }
        "finalizers" => {
            for (name, backend) in [("p", Backend::Process), ("t", Backend::Thread), ("i", Backend::Inline)] {
                let pool =
                    Pool::builder().workers(1).name(name).backend(backend).finalizer(refuse, ()).build()?;
                pool.apply(echo, (vec![],))?;
                pool.shutdown(false)?;
            }
        }
        #[cfg(not(windows))]
        "closed stderr" => close_stderr(&gate)?,
        "closed streams" => println!("{:?}", Pool::new(1)?.apply(echo, (vec![7; 3],))?),
        other => panic!("{other}?"),
    }
    Ok(())
}
