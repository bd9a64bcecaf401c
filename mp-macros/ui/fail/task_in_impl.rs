struct Shape;

impl Shape {
    #[mp::task]
    fn area(side: u64) -> u64 {
        side * side
    }
}

fn main() {}
