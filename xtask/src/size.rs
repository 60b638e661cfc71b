//! `cargo xtask size`: what the core's types take, on hosts and on chips, held to their budgets.
//!
//! The types are listed in `tests/size`. On the host its program prints their sizes; for a chip its library is only
//! compiled, and the sizes are those of its symbols. For a chip also the flash that each primitive takes.

mod flash;

use crate::{
    cargo::{built, cargo},
    toolchain,
    workspace::{self, Build},
};
use anyhow::{Context, Result, bail, ensure};
use object::{Object as _, ObjectSymbol as _, read::archive::ArchiveFile};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Chips without and with compare-and-swap.
const CHIPS: &[&str] = &["thumbv6m-none-eabi", "thumbv7m-none-eabi"];

/// The rows: what is printed, and the symbol, or the difference of two.
const ROWS: &[(&str, &str, Option<&str>)] = &[
    ("Slot", "SLOT", None),
    ("Line", "LINE", None),
    ("Claim", "CLAIM", None),
    ("Token", "TOKEN", None),
    ("a claim's Wait", "CLAIM_WAIT", None),
    ("a hold's Wait", "HOLD_WAIT", None),
    (NODE, "CLAIM_WAIT", Some("HANDLE")),
    ("Admission", "ADMISSION", None),
    ("Permit", "PERMIT", None),
    ("a permit's Wait", "PERMIT_WAIT", None),
    ("Flight", "FLIGHT", None),
    (FOLLOWER, "FOLLOWER", None),
    ("Group, 16 buckets", "GROUP", None),
    ("a follower's, of a Group", "MEMBER", None),
    ("Once, of a word", "ONCE", None),
    ("Relay, of 64 bytes", "RELAY", None),
    ("Refresher, of a word", "REFRESHER", None),
    ("Channel of 8 words", "CHANNEL", None),
    (CELL, "LONGER_CHANNEL", Some("CHANNEL")),
    ("Channel of 0, of words", "RENDEZVOUS", None),
    ("a channel's Permit", "ROOM", None),
    ("a send of a word", "SEND_WAIT", None),
    (RECEIVE, "RECEIVE_WAIT", None),
    ("a reserve's Wait", "RESERVE_WAIT", None),
    ("FlushTable, of 8 places", "FLUSH_TABLE", None),
    ("its Request", "REQUEST", None),
    ("its Reply", "REPLY", None),
    ("its Flush", "FLUSH", None),
    ("a tree's Root", "ROOT", None),
    ("Scope", "SCOPE", None),
    ("a cancel's Wait", "CANCEL_WAIT", None),
    ("a scope's ScopePlace", "SCOPE_PLACE", None),
    ("a child's Ticket, without its future", "CHILD", None),
];

const NODE: &str = "of a claim's Wait: its node";
const CELL: &str = "of a channel: a word's cell";
const RECEIVE: &str = "a receive's Wait";
const FOLLOWER: &str = "a follower's Wait, of a word";

/// Bytes with a critical-section lock on 32 bits.
const BUDGET_32: &[(&str, u64)] = &[
    ("Line", 8),
    ("Slot", 12),
    (NODE, 24),
    ("Admission", 24),
    ("Permit", 8),
    ("a permit's Wait", 32),
    ("Flight", 4),
    (FOLLOWER, 56),
    ("Scope", 44),
];
/// Bytes with a critical-section lock on 64 bits.
const BUDGET_64: &[(&str, u64)] = &[(NODE, 48), ("Flight", 8), (FOLLOWER, 96), ("Scope", 88)];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the host: needs no compiler for chips.
    #[arg(long)]
    host_only: bool,
}

/// The sizes on one platform with one lock.
struct Column {
    head: String,
    sizes: BTreeMap<String, u64>,
    budget: &'static [(&'static str, u64)],
}

impl Column {
    fn size(&self, row: &(&str, &str, Option<&str>)) -> Result<u64> {
        let of = |name: &str| {
            let size = self.sizes.get(&format!("ECLUSE_SIZE_{name}")).copied();
            size.with_context(|| {
                format!(
                    "tests/size does not tell the size of {name} for {}",
                    self.head
                )
            })
        };
        let whole = of(row.1)?;
        Ok(match row.2 {
            Some(part) => whole
                .checked_sub(of(part)?)
                .context("a part is larger than the whole")?,
            None => whole,
        })
    }
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let dir = workspace::root().join("tests/size");
    let mut columns = host(&captured(&mut host_command())?)?;
    if !args.host_only {
        for target in CHIPS {
            columns.push(chip(&dir, target)?);
        }
    }
    let (mut text, mut over) = table(&columns)?;
    if !args.host_only {
        let (rows, too_much) = flash::measure()?;
        text += &format!("\n{rows}");
        over.extend(too_much);
    }
    print!("{text}");
    for line in &over {
        println!("over budget: {line}");
    }
    Ok(over.is_empty())
}

/// The table, and what is over its budget.
fn table(columns: &[Column]) -> Result<(String, Vec<String>)> {
    let first = ROWS.iter().map(|row| row.0.len()).max().unwrap_or(0);
    let mut text = format!("{:first$}", "bytes");
    columns
        .iter()
        .for_each(|column| text += &format!("  {}", column.head));
    text += "\n";
    let mut over = Vec::new();
    for row in ROWS {
        let mut line = format!("{:first$}", row.0);
        for column in columns {
            let size = column.size(row)?;
            let budget = column
                .budget
                .iter()
                .find(|(name, _)| *name == row.0)
                .map(|(_, bytes)| *bytes);
            let cell = budget.map_or(size.to_string(), |budget| format!("{size} (<= {budget})"));
            line += &format!("  {cell:<width$}", width = column.head.len());
            if let Some(budget) = budget.filter(|budget| size > *budget) {
                over.push(format!(
                    "{} on {}: {size} bytes, {budget} are allowed",
                    row.0, column.head
                ));
            }
        }
        text += &format!("{}\n", line.trim_end());
    }
    Ok((text, over))
}

/// The command that prints the host's sizes.
pub(crate) fn host_command() -> Command {
    let mut cargo = cargo(Build::Plain);
    cargo
        .current_dir(workspace::root().join("tests/size"))
        .env("CARGO_TARGET_DIR", workspace::target_base().join("size"))
        .args(["run", "--quiet", "--features", "host"]);
    cargo
}

/// The table for the host alone from what that command printed, and what is over its budget.
pub(crate) fn host_table(output: &str) -> Result<(String, Vec<String>)> {
    table(&host(output)?)
}

/// The host's columns, one a lock.
fn host(output: &str) -> Result<Vec<Column>> {
    let bits = usize::BITS;
    let budget = if bits == 64 { BUDGET_64 } else { BUDGET_32 };
    let mut columns: Vec<Column> = Vec::new();
    for (lock, name, bytes) in parse(output)? {
        let head = format!("{bits}-bit host, {lock}");
        if columns.last().is_none_or(|column| column.head != head) {
            let budget = if lock == "critical-section" {
                budget
            } else {
                &[]
            };
            columns.push(Column {
                head,
                sizes: BTreeMap::new(),
                budget,
            });
        }
        if let Some(column) = columns.last_mut() {
            column.sizes.insert(name.into(), bytes);
        }
    }
    ensure!(!columns.is_empty(), "tests/size printed nothing");
    Ok(columns)
}

fn parse(output: &str) -> Result<Vec<(&str, &str, u64)>> {
    let line = |line| match *str::split(line, '\t').collect::<Vec<_>>() {
        [lock, name, bytes] => Ok((
            lock,
            name,
            bytes.parse().context("a size that is no number")?,
        )),
        _ => bail!("tests/size printed `{line}`"),
    };
    output.lines().map(line).collect()
}

/// A chip's column.
fn chip(dir: &Path, target: &str) -> Result<Column> {
    let toolchain = toolchain::for_target(target)?;
    println!("{target}: {}", toolchain.describe());
    let mut cargo = toolchain.cargo("build", dir);
    let messages = captured(cargo.args([
        "--lib",
        "--release",
        "--message-format=json-render-diagnostics",
    ]))?;
    let files = built(&messages, "lib", "ecluse-size")
        .or_else(|_| built(&messages, "lib", "ecluse_size"))?
        .files;
    let rlib = |file: &&PathBuf| {
        file.extension()
            .is_some_and(|extension| extension == "rlib")
    };
    let library = files
        .iter()
        .find(rlib)
        .context("cargo names no library for tests/size")?;
    let sizes = symbols(&fs::read(library)?)?;
    Ok(Column {
        head: format!("{target}, critical-section"),
        sizes,
        budget: BUDGET_32,
    })
}

/// The sizes of our symbols in a library.
fn symbols(library: &[u8]) -> Result<BTreeMap<String, u64>> {
    let mut sizes = BTreeMap::new();
    for member in ArchiveFile::parse(library)?.members() {
        let data = member?.data(library)?;
        // Among the members is also the compiler's metadata, which may be no object.
        let Ok(object) = object::File::parse(data) else {
            continue;
        };
        for symbol in object.symbols() {
            let name = symbol.name().unwrap_or_default();
            if name.starts_with("ECLUSE_SIZE_") {
                sizes.insert(name.to_owned(), symbol.size());
            }
        }
    }
    Ok(sizes)
}

/// Runs a command, its messages shown as they come, and returns what it printed.
fn captured(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(
        output.status.success(),
        "{} failed",
        crate::step::shown(command)
    );
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(slot: u64) -> Column {
        // As many bytes as are allowed, or some; and two that the tests are about.
        let allowed = |row: &str| BUDGET_32.iter().find(|(name, _)| *name == row);
        let mut sizes: BTreeMap<_, _> = ROWS
            .iter()
            .map(|(row, symbol, _)| (*symbol, allowed(row).map_or(4, |(_, bytes)| *bytes)))
            .collect();
        sizes.extend([("SLOT", slot), ("CLAIM_WAIT", 28), ("HANDLE", 4)]);
        let sizes = sizes
            .into_iter()
            .map(|(name, size)| (format!("ECLUSE_SIZE_{name}"), size))
            .collect();
        Column {
            head: "chip".into(),
            sizes,
            budget: BUDGET_32,
        }
    }

    #[test]
    fn a_budget_is_met_or_named() {
        let (text, over) = table(&[column(12)]).unwrap();
        assert_eq!(over, [""; 0]);
        assert!(text.contains("24 (<= 24)"), "{text}");
        assert_eq!(
            table(&[column(13)]).unwrap().1,
            ["Slot on chip: 13 bytes, 12 are allowed"]
        );
    }

    #[test]
    fn a_size_that_is_not_told_is_an_error() {
        let mut column = column(12);
        column.sizes.remove("ECLUSE_SIZE_TOKEN");
        assert!(table(&[column]).unwrap_err().to_string().contains("TOKEN"));
    }

    #[test]
    fn the_hosts_lines_are_read() {
        assert_eq!(
            parse("std\tA\t3\nstd\tB\t4\n").unwrap(),
            [("std", "A", 3), ("std", "B", 4)]
        );
        assert!(parse("nonsense").is_err());
    }
}
