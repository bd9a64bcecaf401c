//! Structs that may live in shared memory.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used, clippy::float_cmp)]

mod vendor {
    pub use mp as parallel;
}

#[derive(Clone, Copy, mp::Shareable)]
#[repr(C)]
struct Point {
    x: f64,
    y: f64,
}

#[derive(Clone, Copy, vendor::parallel::Shareable)]
#[mp(crate = vendor::parallel)]
#[repr(C, align(32))]
struct Line(Point, Point);

#[derive(Clone, Copy, mp::Shareable)]
#[repr(transparent)]
struct Id {
    r#type: [u32; 3],
}

fn main() {
    let points = mp::shm::SharedVec::from_slice(&[Point { x: 1.0, y: 2.0 }]).unwrap();
    let line = Line(points[0], points[0]);
    assert_eq!(line.0.x + line.1.y, 3.0);
    assert_eq!(mp::shm::Value::new(Id { r#type: [1; 3] }).unwrap().get().unwrap().r#type, [1; 3]);
}
