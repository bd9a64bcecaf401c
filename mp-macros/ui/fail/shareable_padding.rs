use mp::Shareable;

#[derive(Clone, Copy, Shareable)]
#[repr(C)]
struct Between {
    small: u8,
    large: u32,
}

#[derive(Clone, Copy, Shareable)]
#[repr(C)]
struct After {
    large: u32,
    small: u8,
}

fn main() {}
