//! tokio-util: its cancellation token. The tree's groups use it by itself: nothing else here is a
//! tree.

pub use tokio_util::sync::CancellationToken as Token;
