//! Two tasks were given the same name.

#![allow(clippy::unwrap_used, reason = "what is not as it should be ends the program")]

#[mp::task(name = "shared.name")]
fn first(x: i64) -> i64 {
    x
}

#[mp::task(name = "shared.name")]
fn second(x: i64) -> i64 {
    x
}

fn main() {
    mp::main!();
    println!("{:?}", mp::Pool::new(2).unwrap_err());
    println!("{:?}", mp::spawn(first, (2,)).unwrap_err());
    let here = mp::Pool::builder().workers(1).backend(mp::Backend::Inline).build().unwrap();
    println!("{:?}", here.apply(second, (2,)).unwrap_err());
}
