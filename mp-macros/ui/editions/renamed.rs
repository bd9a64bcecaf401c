//! Compiled in every edition, with `mp` under another name.
#![deny(warnings)]
#![forbid(unsafe_code)]

#[parallel::task(crate = parallel)]
fn square(x: i64) -> i64 {
    x * x
}

struct Shape;

#[parallel::tasks(crate = ::parallel)]
impl Shape {
    #[task]
    fn area(sides: &[u64]) -> u64 {
        sides.iter().product()
    }
}

fn identity<T>(value: T) -> T {
    value
}

#[parallel::entry(crate = parallel)]
fn main() {
    let _ = (parallel::task_of!(crate = parallel, square), parallel::task_of!(crate = parallel, Shape::area));
    let _ = parallel::task_of!(crate = parallel, identity::<u8>)(1);
}
