//! `cargo xtask mutants`: breaks a copy of the core, one listed change at a time, and sees that a test notices.
//!
//! The list is `xtask/mutants.toml`; its form is in `mutants/list.rs`. The working tree is copied as it is (what git
//! knows or would add), so the copy is broken, never the original. Before the first change the unbroken copy must pass
//! everything that is used here: a test that fails anyway notices nothing.
//!
//! A panic, an abort, a failed assertion and a time-out all count as noticing; not building does not, since then no test
//! had anything to notice.
//!
//! `--broad` tries what is on no list: see `mutants/broad.rs`.
//!
//! Either builds the core again for each change, and writes more than it computes: on Linux a `CARGO_TARGET_DIR` in memory
//! (below `/dev/shm`) takes a third of the time, and with `--shard 0/2` and `--shard 1/2`, each with a directory of its own,
//! two cores are busy.

mod alone;
mod broad;
mod judge;
mod list;

use crate::{loom::Word, process, workspace};
use alone::Alone;
use anyhow::{Context, Result, ensure};
use core::{fmt, str::FromStr, time::Duration};
use judge::{Bench, Verdict};
use list::{Expect, Mutant};
use std::{fs, path::Path, process::Command};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only mutants whose name contains this; given several times, any of these.
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// Begin with the entry of this name: to go on where a run was ended.
    #[arg(long, value_name = "NAME", conflicts_with = "broad")]
    from: Option<String>,
    /// Seconds after which a model or the unit tests count as hanging: 180; with `--broad` 20 (and 900 for
    /// survivors, whatever is said here).
    #[arg(long, value_name = "SECONDS")]
    limit: Option<u64>,
    /// Instead of the listed changes, every operator, guard and result in the core's code, by cargo-mutants.
    #[arg(long)]
    broad: bool,
    /// The part K of N (from 0) of them, spread over all files.
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// End after so many minutes, with what was tried by then, at random.
    #[arg(long, requires = "broad")]
    minutes: Option<u64>,
}

/// A part of all changes: every `of`th, beginning with that of this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shard {
    index: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('/').and_then(|(index, of)| {
            let (index, of) = (index.parse().ok()?, of.parse().ok()?);
            (index < of).then_some(Self { index, of })
        });
        parts.context("a part is K/N with K below N: 0/2 and 1/2 are halves")
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    if args.broad {
        return broad::run(args);
    }
    let root = workspace::root();
    let path = root.join("xtask/mutants.toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let all = list::parse(&text)?;
    // All of them, chosen or not: a stale entry is found by whoever made it stale.
    for mutant in &all {
        mutant.mutated(&read(&root, &mutant.file)?)?;
    }
    let chosen = choose(all, args.from.as_deref(), &args.only, args.shard)?;
    process::end_children_on_interrupt()?;

    let place = workspace::results().join("mutants");
    let _alone = Alone::take(&place)?;
    let tree = place.join("tree");
    copy_tree(&root, &tree)?;
    build_quickly(&place)?;
    println!("the unbroken copy first");
    let bench = Bench::set_up(
        &tree,
        &place.join("target"),
        &chosen,
        Duration::from_secs(args.limit.unwrap_or(180)),
    )?;

    let mut rows = Vec::new();
    for mutant in &chosen {
        let original = read(&tree, &mutant.file)?;
        write(&tree, &mutant.file, &mutant.mutated(&original)?)?;
        // One that cannot be judged is a failure, and keeps no other from it.
        let judge = |word: &Word| {
            let verdict = bench.judge(mutant, *word);
            (*word, verdict.unwrap_or_else(Verdict::not_judged))
        };
        let judged: Vec<_> = mutant.words.iter().map(judge).collect();
        write(&tree, &mutant.file, &original)?;
        for (word, verdict) in judged {
            let row = Row {
                name: mutant.name.clone(),
                word: word.name(),
                good: good(mutant, &verdict),
                verdict,
            };
            println!("{}", row.line(0));
            rows.push(row);
        }
    }

    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    println!();
    rows.iter().for_each(|row| println!("{}", row.line(width)));
    let bad = rows.iter().filter(|row| !row.good).count();
    for mutant in chosen
        .iter()
        .filter(|mutant| mutant.expect == Expect::Survives)
    {
        println!(
            "  `{}` is meant to survive: {}",
            mutant.name,
            mutant.why.as_deref().unwrap_or_default()
        );
    }
    println!("\n{} passed, {bad} failed", rows.len() - bad);
    Ok(bad == 0)
}

struct Row {
    name: String,
    word: &'static str,
    verdict: Verdict,
    good: bool,
}

impl Row {
    fn line(&self, width: usize) -> String {
        let mark = if self.good {
            "as expected"
        } else {
            "UNEXPECTED"
        };
        format!(
            "{:width$}  {:5}  {mark:11}  {}",
            self.name, self.word, self.verdict
        )
    }
}

fn good(mutant: &Mutant, verdict: &Verdict) -> bool {
    matches!(
        (mutant.expect, verdict),
        (Expect::Killed, Verdict::Killed { .. }) | (Expect::Survives, Verdict::Survived { .. })
    )
}

fn choose(
    mut all: Vec<Mutant>,
    from: Option<&str>,
    only: &[String],
    shard: Option<Shard>,
) -> Result<Vec<Mutant>> {
    ensure!(!all.is_empty(), "xtask/mutants.toml lists no mutants");
    let names: Vec<String> = all.iter().map(|mutant| mutant.name.clone()).collect();
    if let Some(from) = from {
        let first = names.iter().position(|name| name == from);
        let first = first.with_context(|| format!("no mutant is called `{from}`"))?;
        all.drain(..first);
    }
    let chosen: Vec<Mutant> = all
        .into_iter()
        .filter(|mutant| only.is_empty() || only.iter().any(|part| mutant.name.contains(part)))
        .collect();
    ensure!(
        !chosen.is_empty(),
        "no mutant's name contains `{}`; there are:\n  {}",
        only.join("` or `"),
        names.join("\n  ")
    );
    let Some(Shard { index, of }) = shard else {
        return Ok(chosen);
    };
    let part: Vec<Mutant> = chosen.into_iter().skip(index).step_by(of).collect();
    ensure!(!part.is_empty(), "there are fewer mutants than parts");
    Ok(part)
}

/// The tree is built again for each mutant: what takes time and changes no result is off. Cargo reads it from above the
/// tree.
fn build_quickly(place: &Path) -> Result<()> {
    let dir = place.join(".cargo");
    fs::create_dir_all(&dir)?;
    let profiles = "[profile.dev]\nincremental = true\ndebug = false\n\n\
                    [profile.release]\nincremental = true\ndebug = false\n";
    fs::write(dir.join("config.toml"), profiles).context("cannot write the copy's configuration")
}

fn read(root: &Path, file: &str) -> Result<String> {
    fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))
}

fn write(root: &Path, file: &str, text: &str) -> Result<()> {
    fs::write(root.join(file), text).with_context(|| format!("cannot write {file}"))
}

/// Makes `to` the same as the working tree in `from`. Files that are equal already are not touched, so that cargo
/// does not build them again.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    let mut git = Command::new("git");
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ])
    .current_dir(from);
    let output = git
        .output()
        .context("cannot run git, which knows the files of the workspace")?;
    ensure!(
        output.status.success(),
        "git ls-files: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let names = String::from_utf8(output.stdout).context("a file's name is not UTF-8")?;
    let names: Vec<&str> = names
        .split('\0')
        .filter(|name| !name.is_empty() && from.join(name).is_file())
        .collect();
    for name in &names {
        let (source, copy) = (from.join(name), to.join(name));
        let bytes = fs::read(&source)?;
        if fs::read(&copy).is_ok_and(|old| old == bytes) {
            continue;
        }
        if let Some(dir) = copy.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(&copy, bytes).with_context(|| format!("cannot write {}", copy.display()))?;
    }
    // What is not in the original any more might be built as a test or an example.
    for name in workspace::files(to)? {
        if !names.contains(&name.as_str()) {
            fs::remove_file(to.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_follows_the_working_tree() {
        let place = std::env::temp_dir().join(format!("ecluse-xtask-{}-copy", std::process::id()));
        let (from, to) = (place.join("from"), place.join("to"));
        fs::create_dir_all(from.join("src")).unwrap();
        let git = Command::new("git")
            .args(["init", "-q"])
            .current_dir(&from)
            .status()
            .unwrap();
        assert!(git.success());
        for (name, text) in [
            (".gitignore", "target\n"),
            ("src/a.rs", "a"),
            ("src/b.rs", "b"),
            ("target", "no"),
        ] {
            fs::write(from.join(name), text).unwrap();
        }
        copy_tree(&from, &to).unwrap();
        assert!(to.join("src/b.rs").is_file() && !to.join("target").exists());
        let before = fs::metadata(to.join("src/a.rs"))
            .unwrap()
            .modified()
            .unwrap();

        fs::remove_file(from.join("src/b.rs")).unwrap();
        copy_tree(&from, &to).unwrap();
        assert!(!to.join("src/b.rs").exists());
        assert_eq!(
            fs::metadata(to.join("src/a.rs"))
                .unwrap()
                .modified()
                .unwrap(),
            before
        );
        fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn parts_are_all_of_it_and_no_mutant_is_in_two() {
        let all = || list::parse(include_str!("../mutants.toml")).unwrap();
        let part = |text: &str| choose(all(), None, &[], Some(text.parse().unwrap())).unwrap();
        let names = |list: Vec<Mutant>| list.into_iter().map(|mutant| mutant.name);
        let mut parts: Vec<_> = names(part("0/3")).chain(names(part("1/3"))).collect();
        parts.extend(names(part("2/3")));
        parts.sort_unstable();
        let mut whole: Vec<_> = names(all()).collect();
        whole.sort_unstable();
        assert_eq!(parts, whole);
        for wrong in ["", "2", "2/2", "-1/2", "a/b", "0/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        assert_eq!("1/3".parse::<Shard>().unwrap().to_string(), "1/3");
    }

    #[test]
    fn a_run_goes_on_where_one_was_ended() {
        let all = || list::parse(include_str!("../mutants.toml")).unwrap();
        let whole = all();
        let rest = choose(all(), Some(&whole[7].name), &[], None).unwrap();
        let names = |list: &[Mutant]| list.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&rest), names(&whole[7..]));
        let error = choose(all(), Some("nobody"), &[], None).unwrap_err();
        assert_eq!(error.to_string(), "no mutant is called `nobody`");
    }

    #[test]
    fn the_kept_list_is_well_formed_and_not_stale() {
        let root = workspace::root();
        for mutant in list::parse(include_str!("../mutants.toml")).unwrap() {
            mutant.mutated(&read(&root, &mutant.file).unwrap()).unwrap();
        }
    }
}
