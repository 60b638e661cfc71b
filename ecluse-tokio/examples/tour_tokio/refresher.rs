//! `Refresher`: a token that expires. When it is due it is renewed by one task, in the background; all who ask meanwhile
//! are served the one that is still good.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ecluse_tokio::{
    Refresher, TokioSpawn, TokioTimer,
    refresh::{Minted, Policy},
    runtime::Tally,
};
use tokio::{sync::Semaphore, time::advance};

const MINUTE: Duration = Duration::from_secs(60);

/// The token service, which answers once for each permit.
static SERVICE: Semaphore = Semaphore::const_new(1);
static MINTS: AtomicU32 = AtomicU32::new(0);

async fn mint() -> Result<Minted<u32>, &'static str> {
    let number = MINTS.fetch_add(1, Ordering::Relaxed) + 1;
    SERVICE.acquire().await.expect("never closed").forget();
    Ok(Minted::expires_in(number, 60 * MINUTE))
}

// Time stands still, and is moved by hand.
#[tokio::main(flavor = "current_thread", start_paused = true)]
pub(crate) async fn main() {
    let policy = Policy::new().early(MINUTE);
    let token: Arc<Refresher<_, _>> = Arc::new(Refresher::new(TokioTimer, policy));
    let tally: Arc<Tally> = Arc::default();
    let get = || {
        let tally = Arc::clone(&tally);
        Refresher::get_in_background(&token, TokioSpawn::current(), tally, mint)
    };
    let first = get().await.expect("the service answers");

    advance(59 * MINUTE + MINUTE / 2).await; // good for half a minute more
    let meanwhile = tokio::join!(get(), get(), get());
    assert_eq!(meanwhile, (Ok(first), Ok(first), Ok(first)));
    SERVICE.add_permits(1);
    tally.joined().await;
    let renewed = get().await.expect("it is there");
    println!(
        "three were served token {}, then it was {}",
        *first, *renewed
    );
    assert_eq!((*first, *renewed, MINTS.load(Ordering::Relaxed)), (1, 2, 2));
}
