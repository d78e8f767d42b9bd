//! What Weir takes in and gives out in a second, and what memory it needs for it: `cargo bench -- import`.
//!
//! Each case runs in a process of its own, so that one's peak of memory is not another's. Each prints a small table
//! and one line of JSON. docs/benchmarks.md has the figures of one machine.

mod ask;
mod broadcast;
mod city;
mod corrections;
mod import;
mod outbox;
mod planner;
mod planner_city;
mod process;
mod release;
mod replies;
mod report;
mod startup;
mod stores;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measures Weir on this machine.
#[derive(Parser)]
#[command(name = "cargo bench --")]
struct Cli {
    #[command(subcommand)]
    what: Option<What>,
    /// Given by cargo.
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum What {
    /// Import a made-up roster, then import it again.
    Import {
        /// Rows.
        #[arg(long, env = "WEIR_BENCH_RESIDENTS", default_value_t = 100_000)]
        residents: u64,
    },
    /// Drain a full outbox into the simulators, without limits.
    Outbox {
        /// Messages for each channel.
        #[arg(long, env = "WEIR_BENCH_MESSAGES", default_value_t = 20_000)]
        messages: usize,
    },
    /// Plan made-up cities on one processor, beside what a fluid could do and what nearest-site-only does.
    Planner {
        /// Units of the cities; beyond 1,000,000 only the time is measured.
        #[arg(
            long,
            env = "WEIR_BENCH_UNITS",
            value_delimiter = ',',
            default_value = "10000,100000,1000000"
        )]
        units: Vec<usize>,
    },
    /// Release a round to so many residents, and see what memory the service needs.
    Release {
        /// Sizes of the city.
        #[arg(
            long,
            env = "WEIR_BENCH_CITIES",
            value_delimiter = ',',
            default_value = "10000,100000"
        )]
        residents: Vec<u64>,
    },
    /// Move every window of a told round, and see how fast its people are corrected.
    Corrections {
        /// Rows.
        #[arg(long, env = "WEIR_BENCH_RESIDENTS", default_value_t = 20_000)]
        residents: u64,
    },
    /// Write to everybody of a city: the count, the first message, the rate, the memory.
    Broadcast {
        /// Sizes of the city.
        #[arg(
            long,
            env = "WEIR_BENCH_CITIES",
            value_delimiter = ',',
            default_value = "10000,100000"
        )]
        residents: Vec<u64>,
    },
    /// Answer people while a broadcast leaves: how long they wait.
    Replies {
        /// Messages a second.
        #[arg(
            long,
            env = "WEIR_BENCH_RATES",
            value_delimiter = ',',
            default_value = "50,500"
        )]
        rates: Vec<u32>,
        /// Size of the city.
        #[arg(long, env = "WEIR_BENCH_RESIDENTS", default_value_t = 200_000)]
        residents: u64,
    },
    /// Start the service on a store that is there.
    Startup {
        /// Starts.
        #[arg(long, default_value_t = 20)]
        starts: usize,
    },
    /// Read the held-out questions: how many are understood, and how fast.
    Ask,
    /// One case, in a process of its own.
    #[command(hide = true)]
    Case {
        /// What to do, as JSON.
        case: String,
    },
}

fn main() -> Result<()> {
    match Cli::parse().what {
        Some(What::Import { residents }) => import::measure(residents),
        Some(What::Outbox { messages }) => outbox::measure(messages),
        Some(What::Planner { units }) => {
            planner::measure(&units);
            Ok(())
        }
        Some(What::Release { residents }) => release::measure(&residents),
        Some(What::Corrections { residents }) => corrections::measure(residents),
        Some(What::Broadcast { residents }) => broadcast::measure(&residents),
        Some(What::Replies { rates, residents }) => replies::measure(&rates, residents),
        Some(What::Startup { starts }) => startup::measure(starts),
        Some(What::Ask) => ask::measure(),
        Some(What::Case { case }) => process::run(&case),
        None => {
            import::measure(100_000)?;
            outbox::measure(20_000)?;
            planner::measure(&[10_000, 100_000]);
            release::measure(&[10_000, 100_000])?;
            corrections::measure(20_000)?;
            broadcast::measure(&[10_000, 100_000])?;
            replies::measure(&[50, 500], 200_000)?;
            startup::measure(20)?;
            ask::measure()
        }
    }
}
