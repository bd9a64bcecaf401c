#[mp::task]
fn twice<T: Clone>(value: T) -> (T, T) {
    (value.clone(), value)
}

#[mp::task]
fn first<T: Clone, const N: usize>(values: [T; N]) -> T {
    values[0].clone()
}

fn main() {}
