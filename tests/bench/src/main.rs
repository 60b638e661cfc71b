//! Every primitive beside its peers, in one process and one run. Figures are ratios: each
//! implementation of a case takes its turn after another, each turn between two of one raw
//! compare-and-swap plus swap on a static, and what is reported is a multiple (`x`) of that.
//!
//! The figures of a shared machine wander; a ratio of two loops that take turns every millisecond
//! hardly does. The median of many turns is reported, with its quartiles. `docs/benchmark.md` says how
//! each peer is used, and where we are not first.

use critical_section as _; // its `std` implementation

mod channels;
mod contended;
mod crowd;
mod flights;
mod flush;
mod heap;
mod measure;
mod peers;
mod permits;
mod picture;
mod refresh;
mod report;
mod runtimes;
mod tables;
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
    /// Fewer turns, smaller crowds: shows that it runs.
    #[arg(long)]
    quick: bool,
    /// Where to write the rows (`bench.json`) and the pictures.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Puts the tables into this document, between its markers.
    #[arg(long)]
    tables: Option<PathBuf>,
}

type Group = (&'static str, fn(Turns, &mut Vec<Row>));

const GROUPS: &[Group] = &[
    ("uncontended", uncontended::run),
    ("contended", contended::run),
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
    ("runtimes", runtimes::run),
];

fn main() -> Result<()> {
    let args = Args::parse();
    let wanted = args.group.as_deref().unwrap_or("");
    let names: Vec<_> = GROUPS.iter().map(|(name, _)| *name).collect();
    ensure!(
        names.iter().any(|name| name.contains(wanted)),
        "no group contains {wanted:?}; there are: {}",
        names.join(", ")
    );
    let turns = Turns::new(args.quick);
    let mut rows = Vec::new();
    for (name, run) in GROUPS.iter().filter(|(name, _)| name.contains(wanted)) {
        let start = rows.len();
        run(turns, &mut rows);
        report::group(name, &rows[start..]);
    }
    let derived = report::derived(&rows);
    for name in ["memory", "allocations"] {
        let rows: Vec<Row> = derived
            .iter()
            .filter(|row| row.group == name)
            .cloned()
            .collect();
        if !rows.is_empty() {
            report::figures(name, &rows);
        }
    }
    rows.extend(derived);
    report::standing(&rows);
    if let Some(out) = args.out {
        fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
        let json = out.join("bench.json");
        fs::write(&json, serde_json::to_string_pretty(&rows)?)
            .with_context(|| format!("cannot write {}", json.display()))?;
        for (name, text) in picture::all(&rows) {
            let svg = out.join(format!("{name}.svg"));
            fs::write(&svg, text).with_context(|| format!("cannot write {}", svg.display()))?;
        }
        println!("\nrows and pictures: {}", out.display());
    }
    if let Some(path) = args.tables {
        let put = || {
            let document = tables::put(&fs::read_to_string(&path)?, &rows)?;
            Ok::<_, anyhow::Error>(fs::write(&path, document)?)
        };
        put().with_context(|| format!("cannot put the tables into {}", path.display()))?;
    }
    Ok(())
}
