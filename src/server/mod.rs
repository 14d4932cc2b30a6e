//! The server: configuration, node, routes, commands. `beck` runs [`main`].

pub mod access;
pub mod accounts;
pub mod act_checks;
pub mod addresses;
pub mod admin;
pub mod allocator;
pub mod auth;
pub mod body_timeout;
pub mod boot;
pub mod broker;
pub mod commands;
pub mod config;
pub mod connection;
pub mod counted;
pub mod damaged_files;
pub mod directory;
pub mod erased_entries;
pub mod error;
pub mod first_run;
pub mod fold;
pub mod forms;
pub mod hashing;
pub mod hub;
pub mod json_lines;
pub mod known_browsers;
pub mod logins;
pub mod mentions;
pub mod messages;
pub mod names;
pub mod node;
pub mod origin;
pub mod pages;
pub mod passwords;
pub mod peers;
pub mod presence;
pub mod private_files;
pub mod probe;
pub mod proxies;
pub mod readiness;
pub mod remedy;
pub mod request_rates;
pub mod return_path;
pub mod room_names;
pub mod rooms;
pub mod router;
pub mod serve;
pub mod socket;
pub mod state;
pub mod statements;
pub mod steps;
pub mod telemetry;
pub mod threads;
pub mod throttle;
pub mod unread;
pub mod utc;
pub mod visible_rooms;
pub mod watch;
pub mod websocket;

/// Runs the command line; gives the exit code.
pub fn main() -> i32 {
    commands::run(std::env::args().skip(1).collect())
}

/// Milliseconds since 1970, UTC.
pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
