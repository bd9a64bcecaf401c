//! Where a fresh process finds out that it is a worker.

use super::serve;
use crate::process::gate;
use crate::sys;

/// Behind `mp::main!()` and `#[mp::entry]`: returns in the parent, serves and never returns in a worker.
pub fn main() {
    gate::open(serve::serve_on);
    if sys::entry::is_worker(gate::MARKER) {
        serve::serve();
    }
}

/// Behind `mp::test_main!()`: the same, called by a constructor before `main`.
pub fn test_main() {
    main();
}
