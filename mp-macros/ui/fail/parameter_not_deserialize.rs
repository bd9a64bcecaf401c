use std::collections::BTreeMap;

struct Image(Vec<u8>);

#[mp::task]
fn size(image: Image) -> usize {
    image.0.len()
}

#[mp::task]
fn sizes(images: &[Image], named: &BTreeMap<String, Image>) -> usize {
    images.len() + named.len()
}

fn main() {}
