//! `Group`: flights by key. Four tasks want the calibrations of two sensors: each is read from its flash once, and nothing of
//! it is left in the group.

use core::sync::atomic::{AtomicU32, Ordering};

use ecluse_embassy::Group;
use embassy_futures::{join::join4, yield_now};

#[derive(Clone, Copy, Debug, PartialEq)]
struct BusError;

static CALIBRATIONS: Group<u8, Result<i16, BusError>> = Group::new();
static READS: AtomicU32 = AtomicU32::new(0);

async fn calibration(sensor: u8) -> Result<i16, BusError> {
    let read = || async move {
        READS.fetch_add(1, Ordering::Relaxed);
        yield_now().await; // … over the bus …
        match sensor {
            7 => Err(BusError),
            _ => Ok(-12),
        }
    };
    match CALIBRATIONS.run(sensor, read).await {
        Ok(answer) => answer.value,
        Err(_) => Err(BusError),
    }
}

pub(crate) async fn main() {
    let [one, other] = [3, 7];
    let read = join4(
        calibration(one),
        calibration(other),
        calibration(one),
        calibration(other),
    );
    let read = read.await;
    assert_eq!(read, (Ok(-12), Err(BusError), Ok(-12), Err(BusError)));
    let reads = READS.load(Ordering::Relaxed);
    println!("four calibrations, {reads} reads");
    assert_eq!((reads, CALIBRATIONS.len()), (2, 0));
}
