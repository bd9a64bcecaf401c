#[mp::task(instances())]
fn none<T>(value: T) -> T {
    value
}

#[mp::task(instances(f64))]
fn plain(value: f64) -> f64 {
    value
}

#[mp::task(instances(f64, (u8, u8, u8), (u8, u8)))]
fn swapped<A, B>(a: A, b: B) -> (B, A) {
    (b, a)
}

#[mp::task(instances(f64))]
fn largest<T: Ord>(a: T, b: T) -> T {
    a.max(b)
}

fn main() {}
