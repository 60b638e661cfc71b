//! The layers of tower, round services of this process.
#![allow(clippy::std_instead_of_core, reason = "a test of the host")]

mod admission;
mod bearer;

use std::{future::Future, time::Duration};

use tokio::time::timeout;

/// Nothing here takes long.
async fn soon<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future)
        .await
        .expect("it hangs")
}
