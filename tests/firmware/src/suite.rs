//! The program of every image of the suite: runs the cases of the image's [`Part`], one after another.

use ecluse_conformance::{Case, Part, Runtime, Verdict, Why};
use embassy_executor::SendSpawner;
use embassy_time::Instant;
use static_cell::StaticCell;

use crate::runtime::{Chip, settled};
use crate::{arena, report, semihosting};

/// An image that holds one part of the suite, and so nothing of the others: `image!(ours::Lines)`.
#[macro_export]
macro_rules! image {
    ($part:ty) => {
        #[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
        #[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
        fn main() -> ! {
            static EXECUTOR: static_cell::StaticCell<embassy_executor::Executor> =
                static_cell::StaticCell::new();
            $crate::chip::start();
            EXECUTOR
                .init(embassy_executor::Executor::new())
                .run(|spawner| spawner.spawn(suite(spawner.make_send()).expect("the only one")))
        }

        #[embassy_executor::task]
        async fn suite(spawner: embassy_executor::SendSpawner) {
            $crate::suite::run::<$part>(spawner).await
        }
    };
}

/// Runs what the command line asks for, and ends the image.
pub async fn run<P: Part>(spawner: SendSpawner) {
    static WORDS: StaticCell<[u8; 120]> = StaticCell::new();
    let asked = report::asked(semihosting::command_line(WORDS.init([0; 120])));
    report::line("scale", &[&Chip::SCALE]);
    let (mut passed, mut absent) = (0_usize, 0_usize);
    let cases = P::MODULES.iter().copied().flatten();
    for (index, case) in cases.enumerate().skip(asked.from) {
        // The pattern may span module and name.
        if !asked.pattern.is_empty() && !contains(case, asked.pattern) {
            continue;
        }
        if let Some(why) = case.not_applicable(Chip::CAPS).map(Why::text) {
            absent += 1;
            report::case(case, "n/a", 0, &why);
            continue;
        }
        report::running(Some((case, index)));
        let start = Instant::now();
        let verdict = P::run(Chip(spawner), case).await;
        passed += 1;
        report::case(case, "pass", start.elapsed().as_millis(), &"");
        match verdict.expect("a case that is listed can be run") {
            Verdict::Pass => {}
            Verdict::Trace(name, text) => {
                text.read(|text| report::line("trace", &[&name, &text]));
            }
        }
        report::running(None);
        if !settled().await {
            report::line("next", &[&(index + 1)]);
            semihosting::exit(0);
        }
        // SAFETY: the case's future is gone, and so are all tasks that it spawned.
        unsafe { arena::reset() };
    }
    report::line("end", &[&passed, &0, &absent]);
    semihosting::exit(0);
}

fn contains(case: &Case, pattern: &str) -> bool {
    let mut full = [0_u8; 160];
    let mut used = 0;
    for byte in [case.module, "::", case.name]
        .iter()
        .flat_map(|part| part.bytes())
    {
        full[used] = byte;
        used += 1;
    }
    core::str::from_utf8(&full[..used]).is_ok_and(|full| full.contains(pattern))
}
