//! Load generator for Beck and the servers it is compared with. `bench/run` starts it; the result is one line of JSON.
//!
//! Everything runs in one thread around one epoll: with the server on one core and this program on another, neither
//! takes time from the other, and a delivery is timed when it is read.

mod append;
mod clients;
mod clock;
mod fanout;
mod floor;
mod frame;
mod process;
mod protocol;
mod report;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(about = "Load generator for Beck and the servers it is compared with", version)]
struct Arguments {
    #[command(subcommand)]
    workload: Workload,
}

#[derive(Subcommand)]
enum Workload {
    /// Open loop: posts leave on a fixed schedule and every delivery is timed from its scheduled start
    Fanout(fanout::Options),
    /// Closed loop: every client posts again as soon as its last post is acknowledged
    Append(append::Options),
    /// No server: what the kernel needs to write the same bytes to as many sockets
    Floor(floor::Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().workload {
        Workload::Fanout(options) => fanout::run(options),
        Workload::Append(options) => append::run(options),
        Workload::Floor(options) => floor::run(options),
    };
    match result {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}
