mod jobs {
    pub fn cube(x: i64) -> i64 {
        x * x * x
    }
}

struct Shape;

impl Shape {
    fn area(side: u64) -> u64 {
        side * side
    }
}

#[allow(non_camel_case_types)]
struct quarter;

fn main() {
    let _ = mp::task_of!(jobs::cube);
    let _ = mp::task_of!(Shape::area);
    let _ = mp::task_of!(quarter);
}
