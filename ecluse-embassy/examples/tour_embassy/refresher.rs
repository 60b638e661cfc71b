//! `Refresher`: a reading that is good for a minute. When it is not, whoever asks takes the next, the others wait for that; who
//! takes it and is out of time is succeeded by one of them. (`sensor-bus/src/bin/sensor-lease.rs` is firmware with one.)

use core::{
    future::pending,
    sync::atomic::{AtomicI32, Ordering},
};

use ecluse_embassy::{
    EmbassyTimer, Refresher,
    refresh::{Minted, Policy},
};
use embassy_futures::{join::join3, yield_now};
use embassy_time::{Duration, with_timeout};

#[derive(Clone, Copy, Debug, PartialEq)]
struct Fault;

static TEMPERATURE: Refresher<i32, Fault> = Refresher::new(EmbassyTimer, Policy::new());
static CONVERSIONS: AtomicI32 = AtomicI32::new(0);
const LEASE: Duration = Duration::from_secs(60);

/// A conversion; the second one does not end.
async fn convert() -> Result<Minted<i32>, Fault> {
    let number = CONVERSIONS.fetch_add(1, Ordering::Relaxed) + 1;
    match number {
        2 => pending().await,
        _ => yield_now().await,
    }
    Ok(Minted::expires_in(200 + number, LEASE.into()))
}

pub(crate) async fn main() {
    let first = TEMPERATURE.get(convert).await.expect("the sensor is there");
    assert_eq!(TEMPERATURE.get(convert).await, Ok(first)); // a look, while it is good

    TEMPERATURE.invalidate(first.version); // somebody has opened a window
    let hasty = with_timeout(Duration::from_millis(1), TEMPERATURE.get(convert));
    let (hasty, one, other) =
        join3(hasty, TEMPERATURE.get(convert), TEMPERATURE.get(convert)).await;
    let next = one.expect("the sensor is there");
    println!(
        "{} tenths; one was out of time, then two have {}",
        *first, *next
    );
    assert!(hasty.is_err());
    assert_eq!((*first, *next, other), (201, 203, Ok(next)));
}
