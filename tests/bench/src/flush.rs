//! Requests in flight: begin and reply with nobody flushing, with others in flight; a request that is
//! flushed. Beside it a map under a mutex, which does nothing else than know who is there.

use std::{collections::HashMap, hint::black_box, sync::Mutex};

use ecluse_core::flush::{FlushTable, GrowingFlushTable, Places, Table};

use crate::{
    measure::{Row, Turns},
    peers::now,
};

const OPERATIONS: usize = 20_000;

macro_rules! case {
    ($turns:ident, $rows:ident, $case:literal, $implementation:literal, $size:expr, $body:expr) => {
        $rows.push($turns.row(
            ("flush", $case, $implementation, $size),
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

fn begin_and_reply<P: Places<Tag = u16>>(table: &Table<P>) {
    let request = black_box(table).begin(1000).expect("room");
    request.reply().expect("this session").sent();
}

fn begin_and_flush<P: Places<Tag = u16>>(table: &Table<P>) {
    let request = black_box(table).begin(1000).expect("room");
    let flush = table.flush_as(1001, 1000).expect("room");
    drop(request);
    now(flush).expect("answered").sent();
}

pub fn run(turns: Turns, rows: &mut Vec<Row>) {
    static FIXED: FlushTable<u16, 64> = FlushTable::new();
    static GROWING: GrowingFlushTable<u16> = GrowingFlushTable::new();
    let map = Mutex::new(HashMap::new());
    for others in [0, 16, 62] {
        let busy: Vec<_> = (0..others)
            .map(|tag| (FIXED.begin(tag), GROWING.begin(tag)))
            .collect();
        let others = usize::from(others);
        case!(turns, rows, "begin + reply", "ecluse FlushTable", others, {
            begin_and_reply(&FIXED);
        });
        case!(
            turns,
            rows,
            "begin + reply",
            "ecluse GrowingFlushTable",
            others,
            {
                begin_and_reply(&GROWING);
            }
        );
        case!(
            turns,
            rows,
            "begin + flush + answer",
            "ecluse FlushTable",
            others,
            {
                begin_and_flush(&FIXED);
            }
        );
        drop(busy);
    }
    case!(turns, rows, "insert + remove", "Mutex<HashMap>", 0, {
        black_box(&map)
            .lock()
            .expect("no panic")
            .insert(1000_u16, ());
        black_box(&map).lock().expect("no panic").remove(&1000);
    });
}
