//! Compiled in every edition, with `mp` under another name that the root of the crate makes good.
#![deny(warnings)]
#![forbid(unsafe_code)]

extern crate parallel as mp;

mod inner {
    #[derive(Clone, Copy, mp::Shareable)]
    #[repr(C)]
    pub struct Point {
        pub x: f64,
    }

    #[parallel::task]
    pub fn square(x: i64) -> i64 {
        x * x
    }
}

struct Shape;

#[mp::tasks]
impl Shape {
    #[task]
    fn area(sides: &[u64]) -> u64 {
        sides.iter().product()
    }
}

#[mp::entry]
fn main() {
    let _ = (mp::task_of!(inner::square), parallel::task_of!(Shape::area), inner::Point { x: 1.0 }.x);
}
