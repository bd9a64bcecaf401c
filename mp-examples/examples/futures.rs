//! Handles of calls: as they complete, the first of them, all of them, and awaited in an async program.

use mp::{Pool, When};

#[mp::task]
fn fib(n: u32) -> u64 {
    if n < 2 { u64::from(n) } else { fib(n - 1) + fib(n - 2) }
}

#[mp::entry]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), mp::Error> {
    let pool = Pool::new(2)?;
    let start = |inputs: [u32; 4]| inputs.map(|n| pool.apply_async(fib, (n,)));

    // Whichever ends first comes first, so the order differs from run to run.
    let mut values = Vec::new();
    for handle in mp::as_completed(start([20, 5, 15, 10])) {
        values.push(handle.wait()?);
    }
    values.sort_unstable();
    println!("as completed, sorted: {values:?}");

    let handles = start([25, 2, 3, 4]);
    let first = mp::wait(&handles, When::FirstCompleted, None);
    println!("at least one is done: {}", !first.done.is_empty());
    let all = mp::wait(&handles, When::All, None);
    println!("done: {}, not done: {}", all.done.len(), all.not_done.len());

    // A handle is a future for any executor. Other tasks of the runtime go on meanwhile.
    let handle = pool.apply_async(fib, (20,));
    let other = tokio::spawn(async { "meanwhile" });
    let (fib, other) = tokio::join!(handle, other);
    println!("awaited: {}, {}", fib?, other.expect("this task does not panic"));

    // A map is one handle.
    println!("awaited: {:?}", pool.map_async(fib_of_text, ["7", "8", "nine"]).await?);
    Ok(())
}

#[mp::task]
fn fib_of_text(n: &str) -> Result<u64, String> {
    n.parse().map(fib).map_err(|error| format!("{n:?}: {error}"))
}
