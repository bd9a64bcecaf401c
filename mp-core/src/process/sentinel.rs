//! A handle of a process's end.

use crate::sys::{self, BorrowedHandle, Handle, lends_kernel_handle};
use crate::wire::handles;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::sync::Arc;

/// Becomes readable when a process ends, and stays so: from [`JoinHandle::sentinel`](crate::JoinHandle::sentinel). Any
/// number of threads and processes may wait for it, with [`wait_any`](crate::wait_any), `poll`, or a runtime; it travels in
/// arguments, results and messages.
///
/// ```
/// #[mp::task]
/// fn first() {}
///
/// #[mp::task]
/// fn after(first: mp::Sentinel) {
///     mp::wait_any(&[&first], None).expect("descriptors are left");
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let first = mp::spawn(first, ())?;
///     mp::spawn(after, (first.sentinel(),))?.join()?;
///     first.join()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Sentinel(Arc<Handle>);

impl Sentinel {
    pub(super) fn new(handle: Handle) -> Self {
        Self(Arc::new(handle))
    }

    pub(super) fn handle(&self) -> BorrowedHandle<'_> {
        sys::borrow(&self.0)
    }
}

lends_kernel_handle!(Sentinel);

impl Serialize for Sentinel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        handles::give(self.handle()).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sentinel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        handles::take(u32::deserialize(deserializer)?).map(Self::new).map_err(de::Error::custom)
    }
}
