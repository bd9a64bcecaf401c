//! A program that never comes to its entry when it runs as a worker: it must neither hang nor multiply.

#![allow(clippy::unwrap_used, reason = "what is not as it should be ends the program")]

#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

fn main() {
    if std::env::args().any(|argument| argument == "--mp-worker") {
        return;
    }
    mp::main!();
    let pool = mp::Pool::new(2).unwrap();
    println!("{:?}", pool.apply(square, (2,)));
    println!("{:?}", mp::spawn(square, (2,)).unwrap().join());
}
