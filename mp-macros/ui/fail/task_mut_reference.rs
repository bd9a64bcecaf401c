#[mp::task]
fn sort(values: &mut Vec<u64>, marked: Option<&mut u64>) {
    values.sort();
    drop(marked);
}

fn main() {}
