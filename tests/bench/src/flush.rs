//! Requests in flight: begin and reply with nobody flushing, with others in flight; a request that is
//! flushed. Beside it a map under a mutex, which does nothing else than know who is there.

use std::{collections::HashMap, hint::black_box, sync::Mutex};

use ecluse_core::flush::{FlushTable, GrowingFlushTable, Places, Table};

use crate::{
    crowd::now,
    measure::{Case, Row, Turns},
};

const OPERATIONS: usize = 20_000;

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
    let times = |work: &dyn Fn()| (0..OPERATIONS).for_each(|_| work());
    for others in [0, 16, 62] {
        let busy: Vec<_> = (0..others)
            .map(|tag| (FIXED.begin(tag), GROWING.begin(tag)))
            .collect();
        let others = usize::from(others);
        let mut reply = Case::new("flush", "begin + reply", others, OPERATIONS);
        reply.add("Mutex<HashMap>, floor", 0, || {
            times(&|| {
                let map = black_box(&map);
                map.lock().expect("no panic").insert(1000_u16, ());
                map.lock().expect("no panic").remove(&1000);
            });
        });
        reply.floor();
        reply.add("ecluse FlushTable", 0, || {
            times(&|| begin_and_reply(&FIXED))
        });
        reply.add("ecluse GrowingFlushTable", 0, || {
            times(&|| begin_and_reply(&GROWING));
        });
        reply.run(turns, rows);
        let mut flush = Case::new("flush", "begin + flush + answer", others, OPERATIONS);
        flush.add("ecluse FlushTable", 0, || {
            times(&|| begin_and_flush(&FIXED))
        });
        flush.add("ecluse GrowingFlushTable", 0, || {
            times(&|| begin_and_flush(&GROWING));
        });
        flush.run(turns, rows);
        drop(busy);
    }
}
