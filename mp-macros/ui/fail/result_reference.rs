#[mp::task]
fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

#[mp::task]
fn words(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}

fn main() {}
