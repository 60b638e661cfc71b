//! The runtimes of a host, one file each: binding, nothing else.

pub(crate) mod async_std;
pub(crate) mod block_on;
pub(crate) mod embassy;
pub(crate) mod sim;
pub(crate) mod smol;
pub(crate) mod tokio;
