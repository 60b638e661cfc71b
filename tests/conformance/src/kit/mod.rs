//! What cases are made of. No allocation, no clock, no thread: only the runtime under test.

mod cell;
mod clock;
mod foreign;
mod history;
mod hostile;
mod script;
mod text;
mod turns;
mod waker;

pub use cell::{Guarded, Parked};
pub use clock::{MockClock, MockSleep};
pub use foreign::{Foreign, Value};
pub use history::History;
pub use hostile::{CallAct, Scene, Unnamed, ask, ask_or_run, table};
pub use script::Script;
pub use text::Text;
pub use turns::{eventually, poll_once, yield_now};
pub use waker::{Callback, TestWaker};
