//! The chips: which QEMU machine stands for which, how its image is built from `tests/firmware`, and how it is booted.
//!
//! Invariants:
//! 1. A tool that is missing is installed if we may, else it is an error that says how to get it.
//! 2. All images of a compiler share one target directory; a chip's images differ by target and optimisation only.
//! 3. A chip runs the whole suite, as one image or as several: whatever an image lacks is a gap in the chip's column.

mod boots;

pub(crate) use self::boots::Boots;

use crate::{
    cargo::{built, scrub},
    process::Exit,
    step::Run,
    toolchain::{self, Toolchain},
    workspace,
};
use anyhow::{Context, Result, bail};
use core::time::Duration;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A chip, by its column in the matrix.
#[derive(Debug)]
pub(crate) struct Chip {
    pub(crate) name: &'static str,
    pub(crate) target: &'static str,
    /// The optimisation of its suite: for size, and where flash is short for nothing else.
    suite: Level,
    /// The images that make up the suite.
    images: &'static [&'static str],
    pub(crate) emulator: &'static str,
    machine: &'static [&'static str],
}

/// An optimisation level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// `s`: what the figures are measured at.
    Size,
    /// `z`.
    Smallest,
}

const ARM: &str = "qemu-system-arm";

/// The whole suite in one image.
const WHOLE: &[&str] = &["suite"];

/// **The** list of the suite's parts, an image each: a file in `tests/firmware/src/bin` names the part, and the `suite!`
/// lists of `tests/conformance/src/cases/mod.rs` and `cases_engine/mod.rs` the modules that are in it.
const PARTS: &[&str] = &[
    "suite-claims",
    "suite-lines",
    "suite-engine",
    "suite-scopes",
    "suite-joins",
    "suite-spawned",
    "suite-flights",
    "suite-relays",
    "suite-requests",
    "suite-hostile",
    "suite-admissions",
    "suite-channels",
    "suite-hostile-channels",
    "suite-hostile-joins",
    "suite-hostile-values",
    "suite-on-chips",
];

/// **The** list. lm3s6965evb takes any core, and has four times the RAM of a microbit.
pub(crate) const CHIPS: &[Chip] = &[
    Chip {
        name: "m0",
        target: "thumbv6m-none-eabi",
        suite: Level::Smallest,
        images: PARTS,
        emulator: ARM,
        machine: &["lm3s6965evb", "-cpu", "cortex-m0"],
    },
    Chip {
        name: "m3",
        target: "thumbv7m-none-eabi",
        suite: Level::Size,
        images: WHOLE,
        emulator: ARM,
        machine: &["mps2-an385"],
    },
    Chip {
        name: "m4",
        target: "thumbv7em-none-eabihf",
        suite: Level::Size,
        images: WHOLE,
        emulator: ARM,
        machine: &["mps2-an386"],
    },
    Chip {
        name: "m7",
        target: "thumbv7em-none-eabihf",
        suite: Level::Size,
        images: WHOLE,
        emulator: ARM,
        machine: &["mps2-an500"],
    },
    Chip {
        name: "m33",
        target: "thumbv8m.main-none-eabihf",
        suite: Level::Size,
        images: WHOLE,
        emulator: ARM,
        machine: &["mps2-an505"],
    },
    Chip {
        name: "rv32",
        target: "riscv32imac-unknown-none-elf",
        suite: Level::Size,
        images: WHOLE,
        emulator: "qemu-system-riscv32",
        machine: &["virt", "-bios", "none"],
    },
];

/// Nanoseconds an instruction takes, as a power of two: about 30 MHz.
pub(crate) const REAL_SPEED: u32 = 5;

/// How long one boot may take; a whole suite takes a second.
const BOOT: Duration = Duration::from_secs(20);

/// The chip of this name.
pub(crate) fn chip(name: &str) -> Option<&'static Chip> {
    CHIPS.iter().find(|chip| chip.name == name)
}

impl Chip {
    /// What is missing for this chip and cannot be installed by us, with the commands that would.
    pub(crate) fn lacking(&self) -> Option<String> {
        let lacking = [
            toolchain::lacking(self.target),
            toolchain::lacking_tool(self.emulator, package_of(self.emulator)),
        ];
        let lacking: Vec<String> = lacking.into_iter().flatten().collect();
        (!lacking.is_empty()).then(|| lacking.join("; "))
    }

    /// The compiler, after everything that is missing was installed.
    pub(crate) fn toolchain(&self) -> Result<Toolchain> {
        toolchain::tool(self.emulator, package_of(self.emulator))?;
        let toolchain = toolchain::for_target(self.target)?;
        if !toolchain.has_linker() {
            toolchain::tool("ld.lld", "lld")?;
        }
        Ok(toolchain)
    }

    /// Builds one of the firmware's programs for the chip.
    pub(crate) fn build(
        &self,
        run: &mut Run,
        package: &str,
        program: &str,
        level: Level,
    ) -> Result<PathBuf> {
        let mut built = self.build_in(&own_project(), run, package, &[program], level)?;
        built.pop().context("one program")
    }

    /// Builds several of a package's programs at once, in the project `dir`.
    pub(crate) fn build_in(
        &self,
        dir: &Path,
        run: &mut Run,
        package: &str,
        programs: &[&str],
        level: Level,
    ) -> Result<Vec<PathBuf>> {
        let cargo = self.toolchain()?.cargo("build", dir);
        let messages = build(run, cargo, package, programs, level)?;
        let program = |name: &&str| -> Result<PathBuf> {
            let built = built(&messages, "bin", name)?;
            built.executable.context("cargo names no program")
        };
        programs.iter().map(program).collect()
    }

    /// Whether one call of cargo can build the suites of both. (Of two architectures it cannot: a dependency would have
    /// the features that either asks for.)
    fn is_built_with(&self, other: &Self) -> bool {
        let what = |chip: &Self| (chip.emulator, chip.suite, chip.images);
        what(self) == what(other)
    }

    /// Builds the suite's images, or finds that they were.
    pub(crate) fn build_suite(&self, run: &mut Run) -> Result<Vec<PathBuf>> {
        let dir = own_project();
        self.build_in(&dir, run, "ecluse-firmware", self.images, self.suite)
    }

    /// The command that boots an image; `words` are its command line.
    pub(crate) fn boot(&self, image: &PathBuf, speed: u32, words: &[&str]) -> Command {
        let mut semihosting = "enable=on,target=native".to_owned();
        for word in words {
            // A comma ends an argument; two are one.
            semihosting += &format!(",arg={}", word.replace(',', ",,"));
        }
        let mut qemu = Command::new(self.emulator);
        scrub(&mut qemu);
        qemu.arg("-machine")
            .args(self.machine)
            .arg("-icount")
            .arg(format!("shift={speed},align=off,sleep=off"))
            .args(["-display", "none", "-serial", "none", "-monitor", "none"])
            .arg("-semihosting-config")
            .arg(semihosting)
            .arg("-kernel")
            .arg(image);
        qemu
    }

    /// Runs the suite image by image, booting again after each case that broke its image; returns the report's lines.
    pub(crate) fn run_suite(
        &self,
        run: &mut Run,
        images: &[PathBuf],
        case: &str,
    ) -> Result<String> {
        let mut boots = Boots::new(self.name);
        for image in images {
            boots.begin_image();
            while let Some(from) = boots.next() {
                let from = from.to_string();
                let mut qemu = self.boot(image, REAL_SPEED, &[self.name, &from, case]);
                let (exit, stdout, stderr) = run.run_within(&mut qemu, BOOT)?;
                boots.take(&stdout, exit, &stderr)?;
            }
        }
        Ok(boots.report())
    }
}

/// Builds the suites of all these chips. An image is the work of one core, so all that can be are built at the same time;
/// one that does not build keeps no other from it.
pub(crate) fn build_suites(run: &mut Run, chips: &[&Chip]) -> Result<()> {
    let mut left = chips.to_vec();
    let mut result = Ok(());
    while let Some(&first) = left.first() {
        let toolchain = first.toolchain()?;
        let mut cargo = toolchain.cargo("build", &own_project());
        let mut targets = vec![first.target];
        let mut others = Vec::new();
        for chip in left.split_off(1) {
            let its = chip.toolchain()?;
            if !(chip.is_built_with(first) && its.is_that_of(&toolchain)) {
                others.push(chip);
            } else if !targets.contains(&chip.target) {
                targets.push(chip.target);
                its.add_target(&mut cargo);
            }
        }
        cargo.arg("--keep-going");
        let built = build(run, cargo, "ecluse-firmware", first.images, first.suite);
        result = result.and(built.map(drop));
        left = others;
    }
    result
}

/// Has `cargo` build several of a package's programs; gives its messages.
fn build(
    run: &mut Run,
    mut cargo: Command,
    package: &str,
    programs: &[&str],
    level: Level,
) -> Result<String> {
    cargo
        .args(["--release", "-p", package])
        .arg("--message-format=json-render-diagnostics");
    for program in programs {
        cargo.args(["--bin", program]);
    }
    if let Level::Smallest = level {
        cargo.args(["--config", "profile.release.opt-level='z'"]);
    }
    let (exit, messages, log) = run.run_apart(&mut cargo)?;
    if exit != Exit::Success {
        let programs = programs.join("`, `");
        let advice = too_large(&log).unwrap_or_default();
        run.show = Some(log);
        bail!("`{programs}` does not build: {exit}{advice}");
    }
    Ok(messages)
}

/// What to do if the linker says that images do not fit.
fn too_large(log: &str) -> Option<String> {
    if !log.contains("will not fit in region") {
        return None;
    }
    let images = WHOLE.iter().chain(PARTS);
    let failed = images.filter(|image| log.contains(&format!("(bin \"{image}\")")));
    let failed: Vec<&str> = failed.copied().collect();
    Some(format!(
        "; {} does not fit: move modules from its part into another one, in the `suite!` lists of \
         tests/conformance/src/cases/mod.rs and cases_engine/mod.rs; a new part needs a file in \
         tests/firmware/src/bin, too, and a line in PARTS of xtask/src/firmware.rs",
        failed.join(", ")
    ))
}

/// The workspace of our own firmware.
fn own_project() -> PathBuf {
    workspace::root().join("tests/firmware")
}

fn package_of(emulator: &str) -> &'static str {
    if emulator == ARM {
        "qemu-system-arm"
    } else {
        "qemu-system-misc"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chip_has_a_column_of_its_own() {
        for (i, chip) in CHIPS.iter().enumerate() {
            assert!(CHIPS[i + 1..].iter().all(|other| other.name != chip.name));
            assert!(super::chip(chip.name).is_some());
        }
    }

    #[test]
    fn every_image_of_the_suite_is_in_the_list() {
        let dir = own_project().join("src/bin");
        let files = std::fs::read_dir(dir).unwrap().flatten();
        let mut names: Vec<String> = files
            .filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned()))
            .collect();
        names.sort_unstable();
        let mut listed = [WHOLE, PARTS].concat();
        listed.sort_unstable();
        assert_eq!(names, listed);
    }

    #[test]
    fn an_image_that_does_not_fit_is_named_with_the_lists_to_change() {
        let log = "rust-lld: error: section '.text' will not fit in region 'FLASH': overflowed by 12 bytes\n\
            error: could not compile `ecluse-firmware` (bin \"suite-lines\") due to 1 previous error\n";
        let advice = too_large(log).unwrap();
        assert!(advice.contains("suite-lines does not fit"));
        assert!(advice.contains("cases_engine/mod.rs"));
        assert_eq!(too_large("error: expected `;`"), None);
    }

    #[test]
    fn a_word_with_a_comma_stays_one_word() {
        let qemu = CHIPS[0].boot(&PathBuf::from("image"), 5, &["m0", "0", "a,b"]);
        let args: Vec<_> = qemu.get_args().map(|arg| arg.to_string_lossy()).collect();
        assert!(
            args.iter()
                .any(|arg| arg.ends_with("arg=m0,arg=0,arg=a,,b"))
        );
    }
}
