//! The project's pages: what they link to exists, and so do the headings.
//!
//! A link to the web is not followed.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use walkdir::WalkDir;

/// Directories without pages of the project.
const SKIPPED: &[&str] = &["target", ".git", "node_modules"];

/// Every page below `dir`.
fn pages(dir: &Path) -> Vec<PathBuf> {
    WalkDir::new(dir)
        .into_iter()
        .filter_entry(|entry| !SKIPPED.iter().any(|&name| entry.file_name() == name))
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect()
}

/// The lines that are text, not code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// The anchors of a page: its headings, in the form that a link has.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter_map(|c| match c {
                ' ' => Some('-'),
                '-' | '_' => Some(c),
                c => c.is_alphanumeric().then_some(c),
            });
            kept.collect()
        })
        .collect()
}

/// What a page links to: `](…)` outside of code.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in prose(text) {
        // What is between backticks is code.
        let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        let mut rest = plain.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let Some((link, after)) = after.split_once(')') else {
                break;
            };
            links.push(link.to_owned());
            rest = after;
        }
    }
    links
}

/// What is wrong with the links of the pages below `root`.
fn broken(root: &Path) -> Vec<String> {
    let all = pages(root);
    let mut broken = Vec::new();
    for page in &all {
        let text = fs::read_to_string(page).unwrap();
        for link in links(&text) {
            // A name with `::` is rustdoc's, as `runtime::Spawn` is in a crate's README.
            let shown = page.strip_prefix(root).unwrap_or(page).display();
            if link.contains("://") || link.contains("::") || is_item(&link) {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.parent().unwrap().join(file),
            };
            if !target.exists() {
                broken.push(format!("{shown}: there is no {file}"));
            } else if !anchor.is_empty() && target.extension().is_some_and(|e| e == "md") {
                let text = fs::read_to_string(&target).unwrap();
                if !anchors(&text).contains(anchor) {
                    broken.push(format!("{shown}: {file} has no heading for #{anchor}"));
                }
            }
        }
    }
    broken
}

/// Whether a link is an item of a crate (`join`), which rustdoc sees to.
fn is_item(link: &str) -> bool {
    link.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let broken = broken(&crate::workspace::root());
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn links_and_headings_are_found_outside_of_code_only() {
    let page = "# A title, with `code`!\n[a](b.md#c-d) `[x](y.md)` ![p](p.svg)\n```\n# no\n[n](o.md)\n```\n";
    assert_eq!(links(page), ["b.md#c-d", "p.svg"]);
    assert_eq!(
        anchors(page),
        BTreeSet::from(["a-title-with-code".to_owned()])
    );
}
