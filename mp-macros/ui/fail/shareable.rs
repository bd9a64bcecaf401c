use mp::Shareable;

#[derive(Clone, Copy, Shareable)]
#[repr(C)]
struct WithReference {
    id: u64,
    name: &'static str,
}

#[derive(Clone, Copy, Shareable)]
#[repr(C)]
struct WithFlag(u8, bool);

#[derive(Clone, Shareable)]
#[repr(C)]
struct NotCopy {
    number: u8,
}

fn main() {}
