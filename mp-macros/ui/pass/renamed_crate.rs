//! The runtime under another path, for every macro.

// Odd on purpose.
#![allow(warnings)]

mod vendor {
    pub use mp as parallel;
}

#[vendor::parallel::task(crate = vendor::parallel)]
fn square(x: i64) -> i64 {
    x * x
}

struct Shape;

#[vendor::parallel::tasks(crate = crate::vendor::parallel)]
impl Shape {
    #[parallel::task(name = "shape.area")]
    fn area(side: u64) -> u64 {
        side * side
    }
}

fn identity<T>(value: T) -> T {
    value
}

#[vendor::parallel::entry(crate = vendor::parallel)]
fn main() {
    use vendor::parallel::task_of;
    assert_eq!(task_of!(crate = vendor::parallel, square)(3), 9);
    assert_eq!(task_of!(crate = vendor::parallel, Shape::area)(3), 9);
    assert_eq!(task_of!(crate = vendor::parallel, identity::<u8>)(3), 3);
}
