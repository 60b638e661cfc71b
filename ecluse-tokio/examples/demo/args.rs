//! The command line, and what the machine allows of it.

use clap::Parser;

/// A token that expires under load: renewed by hand, and under a `Line`.
#[derive(Clone, Debug, Parser)]
#[command(name = "demo")]
pub(crate) struct Args {
    /// Clients, each with one request at a time.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) clients: u32,
    /// The part of the requests that is cut off at a random moment: 0 to 1.
    #[arg(long, default_value_t = 0.33, value_parser = fraction)]
    pub(crate) cut: f64,
    /// How long each run goes on.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
    /// Where all random choices come from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How long a token is valid.
    #[arg(long, default_value_t = 150, value_parser = clap::value_parser!(u64).range(20..=60_000))]
    pub(crate) token_ms: u64,
    /// How long the service takes to make one.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) mint_ms: u64,
}

fn fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(part) if (0.0..=1.0).contains(&part) => Ok(part),
        Ok(part) => Err(format!("{part} is no part of all requests: from 0 to 1")),
        Err(_) => Err("a number from 0 to 1, such as 0.33".to_owned()),
    }
}

/// Both ends of a connection are ours, and a cut-off one lives on for a moment.
const DESCRIPTORS_A_CLIENT: u64 = 4;
/// Everything else.
const DESCRIPTORS: u64 = 128;

impl Args {
    /// Raises the soft limit of open files; where that does not do, takes fewer clients and says so.
    pub(crate) fn fit_into_descriptors(&mut self) {
        let wanted = u64::from(self.clients) * DESCRIPTORS_A_CLIENT + DESCRIPTORS;
        let Ok(limit) = rlimit::increase_nofile_limit(wanted) else {
            return;
        };
        if limit < wanted {
            let most = limit.saturating_sub(DESCRIPTORS) / DESCRIPTORS_A_CLIENT;
            let clients = u32::try_from(most.max(1)).unwrap_or(u32::MAX);
            println!(
                "{limit} open files are allowed here: {clients} clients instead of {}",
                self.clients
            );
            self.clients = clients;
        }
    }
}
