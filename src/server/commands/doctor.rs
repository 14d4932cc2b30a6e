//! `beck doctor`: looks at everything that can be wrong with an installation, changes nothing, and says what to change.

mod address;
mod client;
mod folder;
mod log;
pub(super) mod report;

pub use folder::{Space, file_system_of, space};

use crate::server::config::Config;
use report::Report;
use std::time::Duration;

/// What to look at.
pub struct Visit {
    pub address: Option<String>,
    /// How long a socket is left without a word.
    pub idle: Duration,
}

/// A page says something at least this often, and so does a server: a proxy must bear more.
const IDLE: Duration = Duration::from_secs(30);

impl Visit {
    /// Reads the words after `doctor`.
    pub fn parse(words: &[&str]) -> Result<Visit, String> {
        let usage = "write beck doctor, or beck doctor https://chat.example.org, and --idle SECONDS for a longer look";
        let mut visit = Visit { address: None, idle: IDLE };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--idle" => {
                    let seconds = words.next().and_then(|seconds| seconds.parse::<u64>().ok());
                    let seconds = seconds.filter(|seconds| (1..=600).contains(seconds));
                    visit.idle = Duration::from_secs(seconds.ok_or("--idle takes 1 to 600 seconds")?);
                }
                address if !address.starts_with('-') && visit.address.is_none() => {
                    visit.address = Some(address.to_owned());
                }
                _ => return Err(usage.into()),
            }
        }
        Ok(visit)
    }
}

/// Looks; `true` if there is no fault.
pub async fn run(visit: Visit) -> bool {
    let mut report = Report::default();
    let config = match Config::from_environment() {
        Ok(config) => config,
        Err(faults) => {
            for (name, what) in faults.0 {
                report.fault("settings", format!("{name} {what}"));
            }
            say!("Correct the settings first: nothing else can be looked at.");
            return report.end();
        }
    };
    report.ok("settings", "every setting can be read");
    let server = client::ask_server(&config).await;
    let gone = client::is_a_beck(&server) && !config.data_dir.exists();
    let at_work = if gone {
        folder::say_gone(&config, &mut report);
        false
    } else {
        let at_work = folder::look(&config, &mut report);
        log::look(&config, &mut report).await;
        at_work
    };
    folder::look_for_assets(&mut report);
    client::look_at_server(&config, server, at_work, &mut report);
    if let Some(text) = &visit.address {
        address::look(&config, at_work, text, visit.idle, &mut report).await;
    }
    report.end()
}
