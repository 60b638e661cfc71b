//! What is printed: the rows of each group; then where we are not first.

use crate::measure::{Rival, Row, Standing};

pub fn group(name: &str, rows: &[Row]) {
    println!("\n{name}: x = one raw compare-and-swap plus swap, timed in turns");
    let mut last = "";
    for row in rows {
        if row.case != last {
            last = &row.case;
            println!(
                "  {:<44} {:>7} {:>8} {:>15} {:>10} {:>8} {:>6} {:>8}",
                last, "n", "x", "quartiles", "ns", "heap B", "allocs", "future B"
            );
        }
        println!(
            "    {:<42} {:>7} {:>8.2} {:>15} {:>10.1} {:>8.1} {:>6.2} {:>8}  {}",
            row.implementation,
            row.n,
            row.x,
            format!("{:.2}–{:.2}", row.x_low, row.x_high),
            row.ns,
            row.heap_bytes,
            row.allocations,
            row.future_bytes,
            row.rival.as_ref().map_or(String::new(), stands),
        );
    }
}

fn stands(rival: &Rival) -> String {
    let standing = match rival.standing {
        Standing::First => "first",
        Standing::Tie => "tie",
        Standing::Behind => "BEHIND",
        Standing::Unclear => "unclear",
    };
    format!("{standing}: {:.2} of {}", rival.ratio, rival.implementation)
}

/// Bytes that each of a crowd takes: its future, and what is allocated for it; and how often anything is
/// allocated. Taken from rows that have been timed.
pub fn derived(rows: &[Row]) -> Vec<Row> {
    let crowds = ["followers", "broadcast", "chain"];
    let waits = |row: &&Row| crowds.contains(&row.group) && row.n == 1_000;
    let memory = rows.iter().filter(waits).map(|row| {
        let bytes = row.heap_bytes + row.future_bytes as f64;
        figure("memory", "bytes a waiter", row, bytes)
    });
    let busy = ["uncontended", "keyed", "channels", "permits", "tree"];
    let works = |row: &&Row| waits(row) || busy.contains(&row.group);
    let allocations = rows.iter().filter(works).map(|row| {
        let times = row.allocations;
        figure("allocations", "allocations", row, times)
    });
    let mut all: Vec<Row> = memory.chain(allocations).collect();
    for place in 0..all.len() {
        if all[place].is_ours() && !all[place].floor {
            let ours = &all[place];
            let theirs = all
                .iter()
                .filter(|row| {
                    (row.group, &row.case, row.n) == (ours.group, &ours.case, ours.n)
                        && !row.is_ours()
                        && !row.floor
                })
                .min_by(|one, two| one.x.total_cmp(&two.x));
            all[place].rival = theirs.map(|theirs| {
                // (Nothing beside nothing is a tie; one would divide by zero.)
                let ratio = (ours.x + f64::MIN_POSITIVE) / (theirs.x + f64::MIN_POSITIVE);
                Rival::new(theirs.implementation, vec![ratio])
            });
        }
    }
    all
}

fn figure(group: &'static str, what: &str, row: &Row, figure: f64) -> Row {
    Row {
        group,
        case: format!("{what}: {}: {}", row.group, row.case),
        x: figure,
        x_low: figure,
        x_high: figure,
        ns: 0.0,
        rival: None,
        ..row.clone()
    }
}

/// Where another is before us, by how much, and where it is a tie.
pub fn standing(rows: &[Row]) {
    let of = |standing| {
        rows.iter().filter_map(move |row| {
            let rival = row.rival.as_ref()?;
            (rival.standing == standing).then_some((row, rival))
        })
    };
    let line = |(row, rival): (&Row, &Rival)| {
        println!(
            "  {:<12} {:<52} {:>7} {:<34} {:.2} (quartiles {:.2}–{:.2}) of {}",
            row.group,
            row.case,
            row.n,
            row.implementation,
            rival.ratio,
            rival.low,
            rival.high,
            rival.implementation,
        );
    };
    println!(
        "\n{} rows of ours have a peer beside them: first in {}",
        rows.iter().filter(|row| row.rival.is_some()).count(),
        of(Standing::First).count(),
    );
    println!(
        "{} ties (time; those of no allocations are left out):",
        of(Standing::Tie).count()
    );
    of(Standing::Tie)
        .filter(|(row, _)| row.group != "allocations")
        .for_each(line);
    println!(
        "{} of which the figures say nothing, so far apart are they:",
        of(Standing::Unclear).count()
    );
    of(Standing::Unclear).for_each(line);
    println!("not first in {}:", of(Standing::Behind).count());
    of(Standing::Behind).for_each(line);
}

/// Figures that are not times: only those of ours and of the best peer.
pub fn figures(name: &str, rows: &[Row]) {
    println!("\n{name}");
    for row in rows {
        if let Some(rival) = &row.rival {
            println!(
                "  {:<62} {:<34} {:>8.2}  {}",
                row.case,
                row.implementation,
                row.x,
                stands(rival)
            );
        }
    }
}
