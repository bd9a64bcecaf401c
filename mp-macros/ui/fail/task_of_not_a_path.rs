#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

fn main() {
    let _ = mp::task_of!(|x: i64| x * x);
    let _ = mp::task_of!(move || 1);
    let _ = mp::task_of!(square(3));
    let _ = mp::task_of!();
    let _ = mp::task_of!(square, square);
    let _ = mp::task_of!(<u8 as Default>::default);
    let _ = mp::task_of!(3);
}
