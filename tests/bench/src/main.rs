//! Figures as ratios: every row is timed in turns with one raw compare-and-swap plus swap on a
//! static, in the same process, and reported as a multiple (`x`) of that.
//!
//! The figures of a shared machine wander; a ratio of two loops that take turns every millisecond
//! hardly does. The median of many turns is reported.

use critical_section as _; // its `std` implementation

mod channels;
mod flights;
mod flush;
mod heap;
mod measure;
mod peers;
mod permits;
mod refresh;
mod tokens;
mod tree;
mod uncontended;
mod waiters;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::measure::{Row, Turns};

#[derive(Parser)]
#[command(about = "Speeds and sizes beside a raw compare-and-swap and the peers")]
struct Args {
    /// Only groups whose name contains this.
    #[arg(long)]
    group: Option<String>,
    /// Fewer turns, smaller crowds: figures good for a look.
    #[arg(long)]
    quick: bool,
    /// Where to write the rows as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

type Group = (&'static str, fn(Turns, &mut Vec<Row>));

const GROUPS: &[Group] = &[
    ("uncontended", uncontended::run),
    ("broadcast", waiters::broadcast),
    ("chain", waiters::chain),
    ("cancel-one", waiters::cancel),
    ("repoll", waiters::repoll),
    ("keyed", flights::keyed),
    ("followers", flights::followers),
    ("hit", flights::hit),
    ("follower-cancel", flights::cancel),
    ("tree", tree::run),
    ("permits", permits::run),
    ("refresh", refresh::run),
    ("flush", flush::run),
    ("channels", channels::run),
];

fn main() -> Result<()> {
    let args = Args::parse();
    let wanted = args.group.as_deref().unwrap_or("");
    let chosen: Vec<_> = GROUPS
        .iter()
        .filter(|(name, _)| name.contains(wanted))
        .collect();
    ensure!(
        !chosen.is_empty(),
        "no group contains {wanted:?}; there are: {}",
        GROUPS.map_names()
    );
    let turns = Turns::new(args.quick);
    let mut rows = Vec::new();
    for (name, run) in chosen {
        let start = rows.len();
        run(turns, &mut rows);
        measure::print(name, &rows[start..]);
    }
    if let Some(path) = args.json {
        fs::write(&path, serde_json::to_string_pretty(&rows)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

trait Names {
    fn map_names(&self) -> String;
}

impl Names for [Group] {
    fn map_names(&self) -> String {
        self.iter()
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .join(", ")
    }
}
