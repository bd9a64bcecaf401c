struct Area(u64);

#[mp::task]
fn area(side: u64) -> Area {
    Area(side * side)
}

fn main() {}
