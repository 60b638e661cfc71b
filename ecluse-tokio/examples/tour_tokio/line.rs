//! `Line`: the session has expired, and everybody meets that at once. One logs in, the others wait for the end of that and
//! go on, without a turn of their own; a refusal that comes late logs nobody in again.

use std::time::Duration;

use ecluse_tokio::{AcquireIf, Generation, Line, WaitExt};
use tokio::task::yield_now;

static LOGIN: Line = Line::new();

/// A request was refused with the session of generation `seen`.
async fn refused(seen: Generation) -> &'static str {
    match LOGIN.acquire_if(seen) {
        AcquireIf::Success(token) => {
            yield_now().await; // … log in; cut off here, it is another one's turn …
            token.release();
            "logged in"
        }
        AcquireIf::Failure(wait) => match wait.within(Duration::from_secs(60)).await {
            Ok(end) if end.is_done() => "waited",
            _ => "would try again",
        },
        AcquireIf::Outdated => "had nothing to do",
    }
}

#[tokio::main]
pub(crate) async fn main() {
    // Read before the request is made: the session that it goes with is no older.
    let seen = LOGIN.generation();
    let (one, other) = tokio::join!(refused(seen), refused(seen));
    let late = refused(seen).await;
    let mut both = [one, other];
    both.sort();
    println!(
        "of two, one {}, one {}; a third was refused late, and {late}",
        both[0], both[1]
    );
    assert_eq!((both, late), (["logged in", "waited"], "had nothing to do"));
}
