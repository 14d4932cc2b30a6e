//! Structured logs on standard error: never tokens, cookies or text.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging; a second call changes nothing.
pub fn start(filter: &str, json: bool) {
    // The framework's own reports of requests hold cookies.
    let filter = format!("{filter},dioxus_fullstack=warn,dioxus_server=warn,hyper=warn,tungstenite=warn");
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // Whoever keeps the lines, as a container does, keeps colours as garbage.
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    let _ = if json { logs.json().try_init() } else { logs.try_init() };
}
