#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

fn squares(pool: &mp::Pool) -> Result<Vec<i64>, mp::Error> {
    pool.map(square, ["one", "two"])
}

fn main() {}
