//! A reading of a slow sensor that is good for 150 ms. Two tasks want it: whoever comes when it is due takes the next,
//! which is 8 ms of work, and the other has the old one meanwhile. One conversion fails: nobody notices, because what was
//! good stays good. The display has no time to lose: after 5 ms it goes on with the reading that there is, and another
//! takes the next one. The alarm only ever looks.
//!
//! In QEMU: `cargo xtask example sensor-lease`. On a board: see `main.rs`.
#![no_std]
#![no_main]

#[path = "../ticks.rs"]
mod ticks;

use core::cell::Cell;

use cortex_m_semihosting::{debug, hprintln};
use critical_section::Mutex;
use ecluse_embassy::refresh::{Breaker, Minted, Policy};
use ecluse_embassy::runtime::{Inline, Spawn};
use ecluse_embassy::{EmbassyTimer, Pool, Refresher, Tally, WaitExt};
use embassy_executor::Spawner;
use embassy_time::{Duration, Instant, Ticker, Timer, with_timeout};

/// The core's clock: QEMU's board.
const CORE_HZ: u32 = 25_000_000;

const CONVERSION: Duration = Duration::from_millis(8);
const LEASE: Duration = Duration::from_millis(150);
const ROUND: Duration = Duration::from_millis(10);
const ROUNDS: usize = 36;
/// This conversion fails.
const BAD: u32 = 3;

/// A temperature, in tenths of a degree, and when it was taken.
#[derive(Clone, Copy)]
struct Reading {
    tenths: i32,
    at: Instant,
}

/// The bus said nothing.
#[derive(Clone, Copy, Debug)]
struct Fault;

/// From the 75th millisecond of a reading on, somebody takes the next. (With one chip there is no crowd to spread out,
/// so the jitter is a constant.)
const POLICY: Policy = Policy::new()
    .early(core::time::Duration::from_millis(75))
    .back_off(
        core::time::Duration::from_millis(2),
        core::time::Duration::from_millis(8),
    )
    .entropy(|| u64::MAX);

static TEMPERATURE: Refresher<Reading, Fault> = Refresher::new(EmbassyTimer, POLICY);

/// What happened, for the check at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counts {
    conversions: u32,
    faults: u32,
    readings: u32,
    cut_off: u32,
    too_early: u32,
    without: u32,
    stale: u32,
}

static COUNTS: Mutex<Cell<Counts>> = Mutex::new(Cell::new(Counts {
    conversions: 0,
    faults: 0,
    readings: 0,
    cut_off: 0,
    too_early: 0,
    without: 0,
    stale: 0,
}));

fn count(more: impl FnOnce(&mut Counts)) -> Counts {
    critical_section::with(|cs| {
        let mut counts = COUNTS.borrow(cs).get();
        more(&mut counts);
        COUNTS.borrow(cs).set(counts);
        counts
    })
}

macro_rules! log {
    ($who:expr, $($what:tt)*) => {
        hprintln!("{:4} ms  {:8} {}", Instant::now().as_millis(), $who, format_args!($($what)*))
    };
}

/// A conversion. (There is no sensor in QEMU: it gets warmer.)
async fn convert(who: &str) -> Result<Minted<Reading>, Fault> {
    let at = Instant::now();
    log!(who, "reads");
    Timer::after(CONVERSION).await;
    let number = count(|counts| counts.conversions += 1).conversions;
    if number == BAD {
        log!(who, "fails");
        count(|counts| counts.faults += 1);
        return Err(Fault);
    }
    let tenths = 200 + 3 * number as i32;
    let reading = Reading { tenths, at };
    Ok(Minted::expires_in(reading, LEASE.into()))
}

/// A task that needs the temperature once a round, `phase` after its beginning, and has so much time for it.
async fn user(who: &'static str, phase: Duration, patience: Option<Duration>) {
    Timer::after(phase).await;
    let mut rounds = Ticker::every(ROUND);
    for _ in 0..ROUNDS {
        rounds.next().await;
        let reading = match patience {
            Some(patience) => {
                match with_timeout(patience, TEMPERATURE.get(|| convert(who))).await {
                    Ok(reading) => reading.ok(),
                    Err(_) => {
                        count(|counts| counts.cut_off += 1);
                        TEMPERATURE.peek()
                    }
                }
            }
            None => TEMPERATURE.peek(),
        };
        let Some(reading) = reading else {
            log!(who, "has nothing");
            let before_the_first = TEMPERATURE.snapshot().minted.is_none();
            count(|counts| {
                counts.too_early += u32::from(before_the_first);
                counts.without += u32::from(!before_the_first);
            });
            continue;
        };
        let stale = reading.at.elapsed() > LEASE;
        count(|counts| {
            counts.readings += 1;
            counts.stale += u32::from(stale);
        });
    }
    log!(
        who,
        "is done, at {} tenths of a degree",
        TEMPERATURE.peek().map_or(0, |last| last.tenths)
    );
}

#[cortex_m_rt::exception]
fn SysTick() {
    ticks::tick();
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    static POOL: Pool<Inline<1024>, 3> = Pool::new();
    static CREW: Tally = Tally::new();

    let core = cortex_m::Peripherals::take().expect("the first to take them");
    ticks::start(core.SYST, CORE_HZ);
    let millis = Duration::from_millis;
    let users = [
        ("control", 0, Some(1000)),
        ("display", 1, Some(5)),
        ("alarm", 2, None),
    ];
    for (who, phase, patience) in users {
        let user = Inline::new(user(who, millis(phase), patience.map(millis)));
        let spawned = POOL.on(spawner.make_send()).spawn(CREW.ticket(user));
        spawned.expect("there are three places");
    }
    let joined = CREW.joined().within(Duration::from_secs(2)).await;
    let (counts, picture) = (count(|_| ()), TEMPERATURE.snapshot());
    hprintln!(
        "{:?}, {:?}, all at rest: {}",
        counts,
        picture.breaker,
        joined.is_ok()
    );
    let well = joined.is_ok()
        && counts.stale == 0
        && counts.faults == 1
        && counts.without == 0
        && counts.cut_off > 0
        && counts.readings + counts.too_early == 3 * ROUNDS as u32
        && picture.failures == 1
        && picture.successes + 1 == counts.conversions
        && picture.breaker == Breaker::Closed;
    debug::exit(if well {
        debug::EXIT_SUCCESS
    } else {
        debug::EXIT_FAILURE
    });
}

#[panic_handler]
fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    loop {
        debug::exit(debug::EXIT_FAILURE);
    }
}
