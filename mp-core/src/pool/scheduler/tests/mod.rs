//! What the scheduler does, as tables; what it never does, in simulated worlds; what it costs, in lengths.

mod books;
mod cost;
mod dispatch;
mod endings;
mod failures;
mod random;
mod ranges;
mod sim;
mod table;
mod width;
mod world;
