#[mp::task(retrys = 3)]
async unsafe fn everything<T>(value: T, list: &mut Vec<T>, text: &'static str) -> impl Sized {
    let _ = (list, text);
    value
}

fn main() {
    // The item is still there, and so is its proof.
    let _ = mp::task_of!(everything);
    let _: u8 = everything;
}
