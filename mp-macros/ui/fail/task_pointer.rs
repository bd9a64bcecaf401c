#[mp::task]
fn read(address: *const u8, callback: fn(u8) -> u8, object: &dyn std::any::Any) -> u8 {
    let _ = (address, callback, object);
    0
}

fn main() {}
