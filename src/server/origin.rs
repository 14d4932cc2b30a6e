//! Whether a request comes from one of our own pages.

use super::config::Config;
use axum::http::{HeaderMap, header};

/// Checks the Origin of a request that changes something or opens a socket. The refusal names both sides.
///
/// `without` allows a request that has none: one whose login is no cookie.
pub fn check(config: &Config, headers: &HeaderMap, without: bool) -> Result<(), String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else {
        let same = text(header::HeaderName::from_static("sec-fetch-site")) == Some("same-origin");
        return if same || without {
            Ok(())
        } else {
            Err("This request has no Origin. Use a browser, or send the header Origin.".into())
        };
    };
    let listed = config.public_url.iter().chain(&config.allowed_origins);
    if listed.clone().any(|allowed| allowed.as_str() == origin) {
        return Ok(());
    }
    if config.public_url.is_some() {
        let allowed: Vec<_> = listed.map(|allowed| allowed.as_str()).collect();
        return Err(format!(
            "Origin {origin:?} is not allowed here; allowed: {}. Set PUBLIC_URL or ALLOWED_ORIGINS.",
            allowed.join(", ")
        ));
    }
    let host = text(header::HOST).unwrap_or("");
    let bare = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    if bare.is_some_and(|bare| !bare.is_empty() && bare.eq_ignore_ascii_case(host)) {
        Ok(())
    } else {
        Err(format!("Origin {origin:?} is not this server's host {host:?}. Behind a proxy set PUBLIC_URL."))
    }
}
