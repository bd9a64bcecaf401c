#[mp::task]
fn words(text: &'static str) -> usize {
    text.len()
}

#[mp::task]
fn lines(texts: Vec<&'static str>) -> usize {
    texts.len()
}

fn main() {}
