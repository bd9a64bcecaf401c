//! Whatever a task does to its worker, the caller gets an answer, and the other calls go on.

use serde::{Deserialize, Serialize};
use std::process::{self, Command, Stdio};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum End {
    Return,
    Panic,
    Abort,
    Segfault,
    StackOverflow,
    Exit,
    Kill,
}

const ENDS: [End; 8] = [
    End::Return,
    End::Panic,
    End::Abort,
    End::Segfault,
    End::StackOverflow,
    End::Exit,
    End::Kill,
    End::Return,
];

#[mp::task]
fn meet(end: End) -> u32 {
    match end {
        End::Return => {}
        End::Panic => panic!("this is not my day"),
        End::Abort => process::abort(),
        // SAFETY: nobody keeps this promise; that is the point, and why it happens in another process.
        End::Segfault => unsafe { (8 as *mut u8).write_volatile(1) },
        End::StackOverflow => drop(bottomless(0)),
        End::Exit => process::exit(0),
        End::Kill => {
            let kill = Command::new("sh").args(["-c", "kill -KILL $PPID"]).status();
            // Windows has another way.
            let pid = process::id().to_string();
            drop(kill.or_else(|_| {
                Command::new("taskkill").args(["/F", "/PID", &pid]).stdout(Stdio::null()).status()
            }));
        }
    }
    42
}

#[allow(unconditional_recursion, reason = "this is what overflows")]
fn bottomless(depth: u64) -> [u64; 64] {
    std::hint::black_box(bottomless(depth + 1)).map(|x| x + depth)
}

fn main() -> Result<(), mp::Error> {
    mp::main!();
    let pool = mp::Pool::new(2)?;
    for (end, outcome) in ENDS.into_iter().zip(pool.try_map(meet, ENDS)) {
        match outcome {
            Ok(value) => println!("{end:?}: {value}"),
            Err(error) => println!("{end:?}: {:?}: {error}", error.kind()),
        }
    }
    // What killed a worker is data, too.
    let error = pool.apply(meet, (End::Kill,)).expect_err("the worker is killed");
    let status = error.worker_lost().and_then(|lost| lost.status);
    println!("{:?}", status.and_then(mp::ExitStatus::signal_name));
    println!("the pool goes on: {}", pool.apply(meet, (End::Return,))?);
    Ok(())
}
