//! The flash that a primitive takes, and what it must not pull in, seen in images that hold nothing else.
//!
//! `tests/firmware/probe` builds two images a primitive, and an empty one that is taken off.

use crate::{
    firmware::{self, Level},
    step::Run,
};
use anyhow::{Context, Result};
use core::time::Duration;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionKind};
use std::{collections::BTreeSet, fs};

/// Image, what it is printed as, and the bytes that it may take: for `Line` as firmware uses it the goal, for the others
/// a little more than they take.
const IMAGES: &[(&str, &str, u64)] = &[
    ("line", "Line, as firmware uses it", 1024),
    ("line_all", "Line, every call of it", 1536),
    ("slot", "Slot, as firmware uses it", 2048),
    ("slot_all", "Slot, every call of it", 2624),
    ("channel", "Channel, as firmware uses it", 4096),
    (
        "channel_all",
        "Channel and a rendezvous, every call of them",
        10752,
    ),
];

/// The image that is taken off.
const EMPTY: &str = "empty";

/// What no image may hold, as it shows in mangled names: formatting, and panics.
const FORBIDDEN: &[&str] = &[
    "core3fmt",
    "core..fmt..",
    "core9panicking",
    "core..panicking..",
];

/// What is in an image.
struct Image {
    bytes: u64,
    forbidden: BTreeSet<String>,
}

/// Builds the images; gives the rows, and what is over its budget or must not be there.
pub(super) fn measure() -> Result<(String, Vec<String>)> {
    let mut run = Run::alone("flash", Duration::from_secs(300))?;
    let chip = firmware::chip("m4").context("the chip is in the list")?;
    let mut image = |name| -> Result<Image> {
        let path = chip.build(&mut run, "ecluse-probe", name, Level::Size)?;
        look(&fs::read(path)?)
    };
    let empty = image(EMPTY)?.bytes;
    let mut text = format!("flash on {}, opt-level s\n", chip.target);
    let mut over = Vec::new();
    for (name, shown, budget) in IMAGES {
        let Image { bytes, forbidden } = image(name)?;
        let bytes = bytes.saturating_sub(empty);
        text += &format!("  {shown}: {bytes} (<= {budget})\n");
        if bytes > *budget {
            over.push(format!(
                "{shown}: {bytes} bytes of flash, {budget} are allowed"
            ));
        }
        if !forbidden.is_empty() {
            let names: Vec<String> = forbidden.into_iter().collect();
            over.push(format!("{shown} pulls in {}", names.join(", ")));
        }
    }
    Ok((text, over))
}

fn look(file: &[u8]) -> Result<Image> {
    let object = object::File::parse(file)?;
    let flash = object.sections().filter(|section| {
        matches!(
            section.kind(),
            SectionKind::Text | SectionKind::ReadOnlyData | SectionKind::Data
        )
    });
    let names = object
        .symbols()
        .filter_map(|symbol| symbol.name().ok().map(str::to_owned));
    Ok(Image {
        bytes: flash.map(|section| section.size()).sum(),
        forbidden: names.filter(|name| is_forbidden(name)).collect(),
    })
}

fn is_forbidden(symbol: &str) -> bool {
    FORBIDDEN.iter().any(|part| symbol.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatting_and_panics_are_found_in_both_manglings() {
        assert!(is_forbidden(
            "_ZN4core9panicking9panic_fmt17h0123456789abcdefE"
        ));
        assert!(is_forbidden("_RNvNtCs9ltgdHTiPiY_4core9panicking5panic"));
        assert!(is_forbidden("_ZN4core3fmt9Formatter9write_str17hE"));
        assert!(!is_forbidden("_ZN11ecluse_core4line4Line5close17hE"));
    }
}
