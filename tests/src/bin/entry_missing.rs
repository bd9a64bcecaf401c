//! A program that forgot its entry.

#![allow(clippy::unwrap_used, reason = "what is not as it should be ends the program")]

#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

fn main() {
    println!("{:?}", mp::Pool::new(2).unwrap_err());
    println!("{:?}", mp::spawn(square, (2,)).unwrap_err());
    let here = mp::Pool::builder().workers(1).backend(mp::Backend::Thread).build().unwrap();
    println!("{:?}", here.map(square, 0..3));
}
