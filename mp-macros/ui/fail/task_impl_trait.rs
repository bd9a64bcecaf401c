#[mp::task]
fn total(values: impl Iterator<Item = u64>) -> u64 {
    values.sum()
}

#[mp::task]
fn count(up_to: u64) -> impl Iterator<Item = u64> {
    0..up_to
}

fn main() {}
