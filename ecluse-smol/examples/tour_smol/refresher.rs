//! `Refresher`: a token that is refused (a 401). Many are refused at once: one of them asks for a new token, the others get
//! that; who is refused late renews nothing, and a failed refresh is told, and does no harm.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use ecluse_smol::{
    Refresher, SmolTimer,
    refresh::{Current, Minted, NoValue, Policy},
};
use smol::future::{yield_now, zip};

static TOKEN: Refresher<u32, &str> = Refresher::new(SmolTimer, Policy::new());
static MINTS: AtomicU32 = AtomicU32::new(0);

/// The token service, which is out of order once.
async fn mint() -> Result<Minted<u32>, &'static str> {
    let number = MINTS.fetch_add(1, Ordering::Relaxed) + 1;
    yield_now().await;
    match number {
        2 => Err("out of order"),
        _ => Ok(Minted::expires_in(number, Duration::from_secs(3600))),
    }
}

/// A request whose token `seen` was refused.
async fn refused(seen: Current<u32>) -> Result<Current<u32>, NoValue<&'static str>> {
    TOKEN.invalidate(seen.version); // only if it is still this one
    TOKEN.get(mint).await
}

pub(crate) fn main() {
    smol::block_on(async {
        let first = TOKEN.get(mint).await.expect("the service answers");
        let down = zip(refused(first), refused(first)).await;
        assert_eq!(
            down,
            (
                Err(NoValue::Failed("out of order")),
                Err(NoValue::Failed("out of order"))
            )
        );
        let (one, other) = zip(refused(first), refused(first)).await;
        let late = refused(first).await; // its answer was long on the way
        let renewed = one.expect("it is back");
        println!("of token {}, all went on to token {}", *first, *renewed);
        assert_eq!((other, late), (Ok(renewed), Ok(renewed)));
        assert_eq!((*renewed, MINTS.load(Ordering::Relaxed)), (3, 3));
    });
}
