#[mp::task]
struct Square(i64);

#[mp::task]
impl Square {}

#[mp::task]
mod jobs {}

trait Shape {
    #[mp::task]
    fn area(side: u64) -> u64;
}

fn main() {}
