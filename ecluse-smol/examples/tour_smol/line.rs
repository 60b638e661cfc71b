//! `Line`: the session has expired, and everybody meets that at once. One logs in, the others wait for the end of that and
//! go on, without a turn of their own; a refusal that comes late logs nobody in again.

use std::time::Duration;

use ecluse_smol::{AcquireIf, Generation, Line, WaitExt};
use smol::future::{yield_now, zip};

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

pub(crate) fn main() {
    smol::block_on(async {
        // Read before the request is made: the session that it goes with is no older.
        let seen = LOGIN.generation();
        let (one, other) = zip(refused(seen), refused(seen)).await;
        let late = refused(seen).await;
        println!("one {one}, one {other}; a third was refused late, and {late}");
        assert_eq!((one, other), ("logged in", "waited"));
        assert_eq!(late, "had nothing to do");
    });
}
