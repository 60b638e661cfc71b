//! Runs the conformance suite, case by case.
#![no_std]
#![no_main]

use ecluse_conformance::{Case, Runtime, Verdict, Why, ours};
use ecluse_firmware::runtime::{Chip, settled};
use ecluse_firmware::{arena, cases, chip, report, semihosting};
use embassy_executor::{Executor, SendSpawner};
use embassy_time::Instant;
use static_cell::StaticCell;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    static EXECUTOR: StaticCell<Executor> = StaticCell::new();
    chip::start();
    EXECUTOR
        .init(Executor::new())
        .run(|spawner| spawner.spawn(suite(spawner.make_send()).expect("the only one")))
}

#[embassy_executor::task]
async fn suite(spawner: SendSpawner) {
    static WORDS: StaticCell<[u8; 120]> = StaticCell::new();
    let asked = report::asked(semihosting::command_line(WORDS.init([0; 120])));
    report::line("scale", &[&Chip::SCALE]);
    let (mut passed, mut absent) = (0_usize, 0_usize);
    let matching = |case: &Case| {
        // The pattern may span module and name.
        asked.pattern.is_empty() || contains(case, asked.pattern)
    };
    for (index, case) in ours::list()
        .chain(cases::CASES)
        .enumerate()
        .skip(asked.from)
    {
        if !matching(case) {
            continue;
        }
        let own = case.module == "chip";
        let why = if own {
            cases::not_applicable(case)
        } else {
            case.not_applicable(Chip::CAPS).map(Why::text)
        };
        if let Some(why) = why {
            absent += 1;
            report::case(case, "n/a", 0, &why);
            continue;
        }
        report::running(Some((case, index)));
        let start = Instant::now();
        let verdict = if own {
            cases::run(Chip(spawner), case).await
        } else {
            ours::run(Chip(spawner), case).await
        };
        passed += 1;
        report::case(case, "pass", start.elapsed().as_millis(), &"");
        if let Verdict::Trace(name, text) = verdict {
            text.read(|text| report::line("trace", &[&name, &text]));
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
