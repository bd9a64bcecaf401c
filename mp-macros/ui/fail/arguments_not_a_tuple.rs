#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

fn nine(pool: &mp::Pool) -> Result<i64, mp::Error> {
    pool.apply(square, 3)
}

fn main() {}
