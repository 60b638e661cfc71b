//! How the acts were run: what a reader of the figures wants to know about them.

use std::{env, fmt, fs, thread, time::SystemTime};

use crate::args::Args;

/// Names and values, in the order in which they are shown.
#[derive(Debug)]
pub(crate) struct Setting {
    rows: Vec<(&'static str, String)>,
}

impl Setting {
    /// To be made before the first run: it looks at what else the machine has to do.
    pub(crate) fn of(args: &Args) -> Self {
        let mut rows = vec![
            ("clients", args.clients.to_string()),
            ("runtime", args.runtime.name().to_owned()),
            ("length of a run", format!("{} s", args.seconds)),
            (
                "requests to be cut off",
                format!("{:.0} %, at random moments", args.cut * 100.0),
            ),
            ("seed", args.seed.to_string()),
            ("build", build()),
            ("machine", machine()),
        ];
        if let Some(load) = load() {
            rows.push(("load before the first run", load));
        }
        rows.push((
            "date",
            httpdate::HttpDate::from(SystemTime::now()).to_string(),
        ));
        rows.push(("command", command(env::args().skip(1))));
        Self { rows }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.rows.iter().map(|(name, value)| (*name, &**value))
    }
}

/// What does not depend on the moment, in one line.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self
            .rows()
            .take_while(|(name, _)| !name.starts_with("load"));
        for (number, (name, value)) in said.enumerate() {
            let comma = if number > 0 { "; " } else { "" };
            write!(f, "{comma}{name}: {value}")?;
        }
        Ok(())
    }
}

fn build() -> String {
    let level = env!("ECLUSE_DEMO_OPT_LEVEL");
    let optimised = match level {
        "0" => "not optimised".to_owned(),
        level => format!("optimised (level {level})"),
    };
    let assertions = if cfg!(debug_assertions) {
        "with"
    } else {
        "without"
    };
    format!("{optimised}, {assertions} debug assertions")
}

fn machine() -> String {
    let cores = thread::available_parallelism().map_or_else(
        |_| "an unknown number of cores".to_owned(),
        |cores| match cores.get() {
            1 => "1 core".to_owned(),
            cores => format!("{cores} cores"),
        },
    );
    format!("{cores}, {} on {}", env::consts::OS, env::consts::ARCH)
}

/// How many threads were running or wanted to, in the last minute.
fn load() -> Option<String> {
    let all = fs::read_to_string("/proc/loadavg").ok()?;
    let minute = all.split_whitespace().next()?;
    Some(format!("{minute} (the last minute's average)"))
}

/// What is typed to have the same again.
fn command(args: impl Iterator<Item = String>) -> String {
    let args: Vec<String> = args.collect();
    let all = args.join(" ");
    let dashes = if args.is_empty() { "" } else { " -- " };
    format!("cargo xtask demo{dashes}{all}")
}

#[cfg(test)]
impl Setting {
    pub(super) fn sample() -> Self {
        Self {
            rows: vec![("clients", "4".to_owned())],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_as_it_is_typed() {
        let command = |args: &[&str]| command(args.iter().map(|arg| (*arg).to_owned()));
        assert_eq!(command(&[]), "cargo xtask demo");
        assert_eq!(command(&["--seed", "2"]), "cargo xtask demo -- --seed 2");
    }
}
