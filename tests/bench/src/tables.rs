//! The tables of `docs/benchmark.md`: a table a case, a line an implementation, a column a size.
//!
//! Invariant: a document's text around the two markers stays as it is.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use crate::measure::{Row, Standing};

const BEGIN: &str = "<!-- tables -->";
const END: &str = "<!-- /tables -->";

/// The groups that are shown, with their headings. Allocations are not: no row of ours has any.
const HEADINGS: &[(&str, &str)] = &[
    ("uncontended", "Claim and release, nobody waiting"),
    ("contended", "Two threads"),
    ("broadcast", "A crowd that is told"),
    ("chain", "A lock handed on"),
    ("cancel-one", "One of n leaves"),
    ("repoll", "A spurious poll"),
    ("keyed", "A flight alone"),
    ("followers", "Followers of a flight"),
    ("hit", "A value that is there"),
    ("follower-cancel", "One of n followers leaves"),
    ("tree", "A cancellation tree"),
    ("permits", "Permits"),
    ("refresh", "A valid token"),
    ("channels", "Channels"),
    ("runtimes", "Spawned tasks on each runtime"),
    ("memory", "Bytes a waiter, future and heap"),
];

/// `document` with the tables of these rows between its markers.
pub fn put(document: &str, rows: &[Row]) -> Result<String> {
    let (before, rest) = document
        .split_once(BEGIN)
        .with_context(|| format!("there is no `{BEGIN}`"))?;
    let (_, after) = rest
        .split_once(END)
        .with_context(|| format!("there is no `{END}` behind `{BEGIN}`"))?;
    Ok(format!("{before}{BEGIN}\n{}{END}{after}", markdown(rows)))
}

fn markdown(rows: &[Row]) -> String {
    let mut text = String::new();
    for (group, heading) in HEADINGS {
        let rows: Vec<_> = rows.iter().filter(|row| row.group == *group).collect();
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n### {heading}");
        for case in unique(rows.iter().map(|row| row.case.as_str())) {
            let rows: Vec<_> = rows.iter().filter(|row| row.case == case).collect();
            let sizes = unique(rows.iter().map(|row| row.n));
            let unit = if *group == "memory" { "bytes" } else { "x" };
            let _ = write!(text, "\n| {case} |");
            for size in &sizes {
                let _ = match size {
                    0 => write!(text, " {unit} |"),
                    size => write!(text, " n = {} |", thousands(*size)),
                };
            }
            let _ = writeln!(text, "\n|{}", "---|".repeat(1 + sizes.len()));
            for name in unique(rows.iter().map(|row| row.implementation)) {
                let mut cells = Vec::new();
                for size in &sizes {
                    let found = rows
                        .iter()
                        .find(|row| row.implementation == name && row.n == *size);
                    cells.push(found.map_or("–".into(), |row| cell(row)));
                }
                let name = match rows.iter().find(|row| row.implementation == name) {
                    Some(row) if row.is_ours() => format!("**{name}**"),
                    Some(row) if row.floor => format!("*{name}*"),
                    _ => name.to_owned(),
                };
                let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
            }
        }
    }
    text
}

fn cell(row: &Row) -> String {
    let figure = match row.x {
        x if x < 10.0 => format!("{x:.2}"),
        x if x < 100.0 => format!("{x:.1}"),
        x => format!("{x:.0}"),
    };
    if !row.is_ours() {
        return figure;
    }
    let mark = match row.rival.as_ref().map(|rival| rival.standing) {
        None | Some(Standing::First) => "",
        Some(Standing::Tie) => " =",
        Some(Standing::Behind) => " ▾",
        Some(Standing::Unclear) => " ?",
    };
    format!("**{figure}**{mark}")
}

/// 100,000
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Each once, in the order in which they come.
fn unique<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for one in all {
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    seen
}
