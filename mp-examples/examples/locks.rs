//! Locks between processes, after the pages of Python: a counter without a lock loses additions and one with a lock does
//! not; ten processes print one at a time; and what Python cannot: a lock whose holder is killed.

use mp::sync::{Event, LockError, Mutex};

/// Reads, adds and writes: what `+=` on a shared value is in Python.
#[mp::task]
fn add_in_two_steps(counter: Mutex<u64>, times: u64) {
    for _ in 0..times {
        let read = *counter.lock().expect("its last holder lives");
        *counter.lock().expect("its last holder lives") = read + 1;
    }
}

#[mp::task]
fn add(counter: Mutex<u64>, times: u64) {
    for _ in 0..times {
        *counter.lock().expect("its last holder lives") += 1;
    }
}

#[mp::task]
fn say_hello(turn: Mutex<u64>) {
    let mut turn = turn.lock().expect("its last holder lives");
    println!("hello world {turn:?}");
    *turn += 1;
}

#[mp::task]
fn hold_for_ever(counter: Mutex<u64>, held: Event) {
    let mut counter = counter.lock().expect("its last holder lives");
    *counter += 1;
    held.set();
    loop {
        std::thread::park();
    }
}

fn main() -> Result<(), mp::Error> {
    mp::main!();
    let pool = mp::Pool::new(4)?;
    let counter = Mutex::new(0)?;
    pool.starmap(add_in_two_steps, vec![(counter.clone(), 1000); 4])?;
    println!("at most 4000: {}", *counter.lock()? <= 4000);
    *counter.lock()? = 0;
    pool.starmap(add, vec![(counter.clone(), 1000); 4])?;
    println!("exactly 4000: {}", *counter.lock()? == 4000);

    let turn = Mutex::new(0)?;
    let hellos: Result<Vec<_>, _> = (0..10).map(|_| mp::spawn(say_hello, (turn.clone(),))).collect();
    hellos?.into_iter().try_for_each(mp::JoinHandle::join)?;

    let held = Event::new()?;
    let holder = mp::spawn(hold_for_ever, (counter.clone(), held.clone()))?;
    held.wait();
    holder.kill()?;
    match counter.lock() {
        Err(LockError::OwnerDied(died)) => println!("the holder died and left {}", *died.recover()),
        other => println!("unexpected: {other:?}"),
    }
    println!("the lock goes on: {}", counter.lock().is_ok());
    Ok(())
}
