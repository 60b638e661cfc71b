//! Claim and release, one thread, nobody waiting.

use std::{
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering},
};

use ecluse_core::{AcquireOutcome, CriticalSection, Handoff, Line, Local, Revocable, Slot};

use crate::{
    measure::{Row, Turns},
    peers::now,
};

const OPERATIONS: usize = 20_000;

macro_rules! case {
    ($turns:ident, $rows:ident, $case:literal, $implementation:literal, $body:expr) => {
        $rows.push($turns.row(
            ("uncontended", $case, $implementation, 0),
            0,
            OPERATIONS,
            || {
                for _ in 0..OPERATIONS {
                    $body;
                }
            },
        ));
    };
}

pub fn run(turns: Turns, rows: &mut Vec<Row>) {
    static RAW: AtomicUsize = AtomicUsize::new(0);
    case!(turns, rows, "claim + release", "raw CAS + swap", {
        let _ = black_box(RAW.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed));
        black_box(RAW.swap(0, Ordering::Release))
    });
    static SLOT: Slot = Slot::new();
    case!(turns, rows, "claim + release", "ecluse Slot", {
        if let Ok(claim) = black_box(&SLOT).try_claim() {
            claim.release();
        }
    });
    case!(turns, rows, "claim + drop", "ecluse Slot", {
        drop(black_box(&SLOT).try_claim())
    });
    static CRITICAL: Slot<Handoff, CriticalSection> = Slot::new();
    case!(
        turns,
        rows,
        "claim + release",
        "ecluse Slot, critical section",
        {
            if let Ok(claim) = black_box(&CRITICAL).try_claim() {
                claim.release();
            }
        }
    );
    static REVOCABLE: Slot<Revocable> = Slot::new();
    case!(turns, rows, "claim + release", "ecluse Slot, revocable", {
        if let Ok(claim) = black_box(&REVOCABLE).try_claim() {
            claim.release();
        }
    });
    let local = Slot::<Handoff, Local>::new();
    case!(turns, rows, "claim + release", "ecluse Slot, local", {
        if let Ok(claim) = black_box(&local).try_claim() {
            claim.release();
        }
    });
    case!(turns, rows, "claim().await + release", "ecluse Slot", {
        if let Ok(claim) = now(black_box(&SLOT).claim()) {
            claim.release();
        }
    });
    static LINE: Line = Line::new();
    case!(turns, rows, "claim + release", "ecluse Line", {
        if let AcquireOutcome::Success(token) = black_box(&LINE).try_acquire_token() {
            token.release();
        }
    });

    let mutex = std::sync::Mutex::new(());
    case!(
        turns,
        rows,
        "claim + release",
        "std Mutex",
        drop(black_box(&mutex).lock())
    );
    let mutex = tokio::sync::Mutex::const_new(());
    case!(
        turns,
        rows,
        "claim + release",
        "tokio Mutex",
        drop(black_box(&mutex).try_lock())
    );
    let mutex = async_lock::Mutex::new(());
    case!(
        turns,
        rows,
        "claim + release",
        "async-lock Mutex",
        drop(black_box(&mutex).try_lock())
    );
    let line = operation_queue::line_token::Line::new();
    case!(turns, rows, "claim + release", "operation-queue Line", {
        drop(now(black_box(&line).try_acquire_token()))
    });
}
