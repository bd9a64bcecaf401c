#[mp::task]
#[target_feature(enable = "avx2")]
fn square(x: i64) -> i64 {
    x * x
}

fn main() {}
