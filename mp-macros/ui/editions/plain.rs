//! Compiled in every edition, with `mp` under its own name.
#![deny(warnings)]
#![forbid(unsafe_code)]

use std::borrow::Cow;

#[mp::task]
fn words<'a>(text: &'a str, more: Cow<'a, str>) -> usize {
    text.len() + more.len()
}

#[mp::task(instances(f64, (u8, u8)), name = "twice")]
fn twice<T: Clone>(value: T) -> Vec<T> {
    vec![value.clone(), value]
}

struct Shape;

#[mp::tasks]
impl Shape {
    #[task]
    fn area(sides: &[u64]) -> u64 {
        sides.iter().product()
    }
}

fn identity<T>(value: T) -> T {
    value
}

#[mp::entry]
fn main() {
    let _ = (mp::task_of!(words), mp::task_of!(crate::words), mp::task_of!(Shape::area));
    let _ = mp::task_of!(identity::<u8>)(twice(1_u8)[0]);
}
