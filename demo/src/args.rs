//! The command line, and what the machine allows of it.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::acts;

/// ecluse on a real HTTP service under load, beside what is written by hand.
///
/// Act one, `renewal`: a bearer token expires, and is revoked, while hundreds of requests use it. Somebody has to
/// renew it, once, while a part of the clients is cut off at random moments.
///
/// Act two, `coalescing`: a proxy before a slow package index. Each document is to be fetched once, however many ask for it,
/// while those who do are cut off.
///
/// Act three, `shutdown`: a server is stopped by Ctrl-C with 1,000 requests in flight (the demo raises the signal, unless you
/// press the keys first). All are to end, or to be known not to have.
#[derive(Clone, Debug, Parser)]
#[command(name = "demo", bin_name = "cargo xtask demo")]
pub(crate) struct Args {
    /// Clients, each with one request at a time.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) clients: u32,
    /// The part of the requests that is cut off at a random moment: 0 to 1.
    #[arg(long, default_value_t = 0.33, value_parser = fraction)]
    pub(crate) cut: f64,
    /// One act only.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(acts::ALL.iter().map(|act| act.name())))]
    pub(crate) act: Option<String>,
    /// How long each run goes on (act two: three quarters of it at most; act three: a quarter before the signal, a quarter of
    /// grace).
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
    /// Where the random choices come from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// What the service and the clients run on.
    #[arg(long, default_value = "tokio")]
    pub(crate) runtime: On,
    /// One run more of each act: by hand as a careful author does it after some accidents.
    #[arg(long)]
    pub(crate) careful: bool,
    /// Only the run with ecluse: to try many seeds.
    #[arg(long, conflicts_with = "careful")]
    pub(crate) ecluse_only: bool,
    /// Where the page goes [default: ecluse/demo.html in the target directory].
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Where the pictures go, too, each act's as an SVG file of its own.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) pictures: Option<PathBuf>,
    /// How long a token is valid, in milliseconds.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(20..=60_000))]
    pub(crate) token_ms: u64,
    /// How long the service takes to make one, in milliseconds.
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) mint_ms: u64,
    /// Act two: how many requests all clients make together in a run.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) requests: u64,
    /// Act two: how many documents they want.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) documents: u32,
    /// Act two: how long the proxy keeps a document, in milliseconds.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub(crate) keep_ms: u64,
    /// Act two: how long the upstream takes for a document, in milliseconds, on average.
    #[arg(long, default_value_t = 150, value_parser = clap::value_parser!(u64).range(2..=10_000))]
    pub(crate) upstream_ms: u64,
    /// Act two: how many documents the upstream makes at the same time.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) workers: u32,
}

/// The runtimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum On {
    Tokio,
    Smol,
    AsyncStd,
}

impl On {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            Self::Smol => "smol",
            Self::AsyncStd => "async-std",
        }
    }
}

fn fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(part) if (0.0..=1.0).contains(&part) => Ok(part),
        Ok(part) => Err(format!(
            "{part} is no part of all requests: a number from 0 to 1, such as 0.33"
        )),
        Err(_) => Err("a number from 0 to 1, such as 0.33".to_owned()),
    }
}

/// Both ends of a connection are ours, and a cut-off one lives on for a moment.
const DESCRIPTORS_A_CLIENT: u64 = 4;
/// Everything else.
const DESCRIPTORS: u64 = 128;

impl Args {
    /// Raises the soft limit of open files; where that does not do, takes fewer clients. Says so.
    pub(crate) fn fit_into_descriptors(&mut self) {
        let wanted = u64::from(self.clients) * DESCRIPTORS_A_CLIENT + DESCRIPTORS;
        let before = rlimit::Resource::NOFILE.get_soft().unwrap_or(u64::MAX);
        if before >= wanted {
            return;
        }
        let limit = rlimit::increase_nofile_limit(wanted).unwrap_or(before);
        if limit > before {
            println!("open files: the soft limit raised from {before} to {limit}");
        }
        if limit < wanted {
            let most = limit.saturating_sub(DESCRIPTORS) / DESCRIPTORS_A_CLIENT;
            let clients = u32::try_from(most.max(1)).unwrap_or(u32::MAX);
            println!(
                "open files: {limit} are allowed here, so {clients} clients instead of {}",
                self.clients
            );
            self.clients = clients;
        }
    }
}
