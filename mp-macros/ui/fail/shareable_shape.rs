use mp::Shareable;

#[derive(Clone, Copy, Shareable)]
struct NoLayout {
    number: u8,
}

#[derive(Clone, Copy, Shareable)]
#[repr(C)]
struct Generic<T> {
    number: T,
}

#[derive(Clone, Copy, Shareable)]
#[repr(C)]
struct Empty;

#[derive(Clone, Copy, Shareable)]
#[repr(u8)]
enum Color {
    Red,
}

#[derive(Clone, Copy, Shareable)]
#[repr(C)]
union Either {
    number: u8,
}

fn main() {}
