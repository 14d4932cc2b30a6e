//! Structured logs on standard error: never tokens, cookies or text.

use tracing_subscriber::EnvFilter;

/// Starts logging; a second call changes nothing.
pub fn start(filter: &str, json: bool) {
    // The framework's own reports of requests hold cookies.
    let filter = format!("{filter},dioxus_fullstack=warn,dioxus_server=warn,hyper=warn,tungstenite=warn");
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = if json { logs.json().try_init() } else { logs.try_init() };
}
