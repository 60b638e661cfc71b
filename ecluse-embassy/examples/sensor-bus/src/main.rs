//! Three tasks and a timer interrupt share one slow sensor. Whoever needs the temperature while nobody is reading it reads it,
//! which takes 8 ms of the bus; whoever comes in the meantime waits and gets the same reading. The display has no time to
//! lose: after 5 ms it goes without. If it was the one who was reading, one of those who wait takes over. The alarm looks
//! from the timer's interrupt: it takes the bus there, holds it from one tick to a later one, and gives it back there.
//!
//! In QEMU: `cargo xtask example sensor-bus` (on a Cortex-M4 and an M0). On a board with an nRF52 and a debug probe:
//! `CORE_HZ` below becomes 64_000_000, then `cargo build --release --target thumbv7em-none-eabihf` in this directory, and
//! `probe-rs run --chip nRF52840_xxAA` with the image. Other boards: `memory.x`.
#![no_std]
#![no_main]

mod ticks;

use core::cell::{Cell, RefCell};

use cortex_m_semihosting::{debug, hprintln};
use critical_section::Mutex;
use ecluse_embassy::runtime::{Inline, Spawn};
use ecluse_embassy::{AcquireOutcome, Line, Outcome, Pool, Tally, Token, WaitExt};
use embassy_executor::Spawner;
use embassy_time::{Duration, Instant, Ticker, Timer, with_timeout};

/// The core's clock: QEMU's board.
const CORE_HZ: u32 = 25_000_000;

const CONVERSION: Duration = Duration::from_millis(8);
const ROUND: Duration = Duration::from_millis(20);
const ROUNDS: usize = 4;

/// The bus: its token is the right to talk to the sensor, the end of a hold is news for all who wait.
static BUS: Line = Line::new();
/// The latest reading, in tenths of a degree. Written by whoever has the token.
static READING: Mutex<Cell<i32>> = Mutex::new(Cell::new(0));

/// What happened, for the check at the end.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Counts {
    conversions: u32,
    readings: u32,
    cut_off: u32,
    taken_over: u32,
}

static COUNTS: Mutex<Cell<Counts>> = Mutex::new(Cell::new(Counts {
    conversions: 0,
    readings: 0,
    cut_off: 0,
    taken_over: 0,
}));

fn count(more: impl FnOnce(&mut Counts)) {
    critical_section::with(|cs| {
        let mut counts = COUNTS.borrow(cs).get();
        more(&mut counts);
        COUNTS.borrow(cs).set(counts);
    });
}

macro_rules! log {
    ($who:expr, $($what:tt)*) => {
        hprintln!("{:4} ms  {:8} {}", Instant::now().as_millis(), $who, format_args!($($what)*))
    };
}

/// The conversion is over: fetches its result. (There is no sensor in QEMU: it gets warmer.)
fn fetch() -> i32 {
    count(|counts| counts.conversions += 1);
    critical_section::with(|cs| {
        let reading = READING.borrow(cs).get().max(200) + 3;
        READING.borrow(cs).set(reading);
        reading
    })
}

/// The temperature: read by us, or by whoever is at it.
async fn temperature(who: &str) -> i32 {
    let mut abandoned = false;
    loop {
        match BUS.try_acquire_token() {
            AcquireOutcome::Success(token) => {
                log!(who, "{}", if abandoned { "takes over" } else { "reads" });
                count(|counts| counts.taken_over += u32::from(abandoned));
                // Who is cut off here drops the token, and with it gives the bus to somebody who waits.
                Timer::after(CONVERSION).await;
                let reading = fetch();
                token.release();
                return reading;
            }
            AcquireOutcome::Failure(end) => {
                log!(who, "waits for the reading");
                if end.await == Outcome::Done {
                    return critical_section::with(|cs| READING.borrow(cs).get());
                }
                abandoned = true;
            }
        }
    }
}

/// A task that needs the temperature once a round, `phase` after its beginning, and has so much time for it.
async fn user(who: &'static str, phase: Duration, patience: Duration) {
    Timer::after(phase).await;
    let mut rounds = Ticker::every(ROUND);
    for _ in 0..ROUNDS {
        rounds.next().await;
        match with_timeout(patience, temperature(who)).await {
            Ok(reading) => {
                log!(who, "has {}.{} degrees", reading / 10, reading % 10);
                count(|counts| counts.readings += 1);
            }
            Err(_) => {
                log!(who, "is out of time");
                count(|counts| counts.cut_off += 1);
            }
        }
    }
}

/// The alarm, in the interrupt: asks for the bus from time to time; gives it back when the conversion is over.
fn alarm(now: u64) {
    type Held = Option<(Token<'static>, u64)>;
    static HELD: Mutex<RefCell<Held>> = Mutex::new(RefCell::new(None));

    let over = |held: &mut (Token<'static>, u64)| held.1 <= now;
    if let Some((token, _)) = critical_section::with(|cs| HELD.borrow_ref_mut(cs).take_if(over)) {
        let reading = fetch();
        log!("alarm", "has {}.{} degrees", reading / 10, reading % 10);
        // Here, in the handler, everybody who waits is told.
        token.release();
    }
    if now % 40 == 36 {
        // If another has the bus, there will be a reading without us.
        if let AcquireOutcome::Success(token) = BUS.try_acquire_token() {
            log!("alarm", "reads, from the interrupt");
            let until = now + CONVERSION.as_millis();
            critical_section::with(|cs| HELD.borrow_ref_mut(cs).replace((token, until)));
        }
    }
}

#[cortex_m_rt::exception]
fn SysTick() {
    alarm(ticks::tick());
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    static POOL: Pool<Inline<256>, 3> = Pool::new();
    static CREW: Tally = Tally::new();

    let core = cortex_m::Peripherals::take().expect("the first to take them");
    ticks::start(core.SYST, CORE_HZ);
    for (who, phase, patience) in [("display", 0, 5), ("control", 2, 15), ("logger", 3, 1000)] {
        let [phase, patience] = [phase, patience].map(Duration::from_millis);
        let user = Inline::new(user(who, phase, patience));
        let spawned = POOL.on(spawner.make_send()).spawn(CREW.ticket(user));
        spawned.expect("there are three places");
    }
    let joined = CREW.joined().within(Duration::from_secs(1)).await;
    let counts = critical_section::with(|cs| COUNTS.borrow(cs).get());
    hprintln!("{:?}, all at rest: {}", counts, joined.is_ok());
    // A round of which the display is the reader, then one that the alarm had begun.
    let two_of_each = Counts {
        conversions: 4,
        readings: 2 + 3 + 2 + 3,
        cut_off: 2,
        taken_over: 2,
    };
    let well = joined.is_ok() && counts == two_of_each && !BUS.is_busy();
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
