fn shout<T: AsRef<str> + ?Sized>(text: &T) -> String {
    text.as_ref().to_uppercase()
}

fn nested<T: Copy + 'static>(value: T) -> T {
    let _ = mp::task_of!(identity::<T>);
    value
}

fn identity<T>(value: T) -> T {
    value
}

fn largest<T: Ord>(a: T, b: T) -> T {
    a.max(b)
}

struct Image;

fn main() {
    let _ = mp::task_of!(shout::<str>);
    let _ = mp::task_of!(largest::<f64>);
    let _ = mp::task_of!(identity::<Image>);
    let _ = nested(1);
}
