//! What the environment and `.env` say. A wrong value stops the start with one message that names every bad
//! variable and what it should be; values that may be secret are never repeated.

use super::broker::redis::RedisSettings;
use super::peers::FORGOTTEN_AFTER;
use super::proxies::Network;
use super::remedy::with_remedy;
use crate::protocol::{Format, bounds};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub address: SocketAddr,
    pub data_dir: PathBuf,
    /// Scheme, host and port that people type, if it is not what the socket sees.
    pub public_url: Option<Origin>,
    /// Further origins that pages may come from.
    pub allowed_origins: Vec<Origin>,
    /// Proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<Network>,
    /// Whether the start prints a QR code; without a word, in a terminal. With `false` it prints no addresses either.
    pub qr: Option<bool>,
    pub log_filter: String,
    pub log_json: bool,
    /// The store that many servers share; without one the log is a file in the data folder.
    pub redis: Option<RedisSettings>,
    /// How often servers tell each other who is connected; no setting, tests shorten it.
    pub heartbeat: Duration,
    /// The newest format of the log that this server reads; tests start servers of other versions by it.
    pub newest_format: Format,
    /// A server that was not heard for so long is gone: the log rises without it. No setting, tests shorten it.
    pub forget_servers_after: Duration,
}

/// `scheme://host[:port]`, as browsers write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    fn parse(text: &str) -> Option<Origin> {
        let text = text.trim().trim_end_matches('/').to_ascii_lowercase();
        let uri: axum::http::Uri = text.parse().ok()?;
        let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
        let authority = uri.authority()?;
        let bare = uri.path() == "/" && uri.query().is_none() && !authority.as_str().contains('@');
        // Browsers leave the scheme's own port out.
        let default = if scheme == "https" { ":443" } else { ":80" };
        let host = authority.as_str().strip_suffix(default).unwrap_or(authority.as_str());
        bare.then(|| Origin(format!("{scheme}://{host}")))
    }
}

/// All that is wrong, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub struct ConfigError(pub Vec<(String, String)>);

impl ConfigError {
    fn message(&self) -> String {
        let mut text = "Beck cannot start: these settings are wrong.\n".to_owned();
        for (name, what) in &self.0 {
            let _ = writeln!(text, "  {name} {what}");
        }
        text.push_str("Set them in the environment or in the file .env; .env.example lists all of them.");
        text
    }
}

impl Config {
    /// Reads `.env` of the working folder, then the environment, which wins.
    pub fn from_environment() -> Result<Config, ConfigError> {
        let file = match dotenvy::dotenv() {
            Ok(_) => None,
            Err(fault) if fault.not_found() => None,
            Err(dotenvy::Error::LineParse(line, _)) => {
                let number = line_number(&line);
                Some((".env".to_owned(), format!("has a line that cannot be read{number}: write NAME=value")))
            }
            // Also where the working folder itself may not be looked into: a data folder of another user, in a container.
            Err(dotenvy::Error::Io(fault)) if fault.kind() != std::io::ErrorKind::InvalidData => {
                let folder = std::env::current_dir().unwrap_or_default();
                let what =
                    format!("of the folder {} cannot be read: {}", folder.display(), with_remedy(&fault));
                Some((".env".to_owned(), what))
            }
            Err(_) => Some((".env".to_owned(), "cannot be read: check that it is a text file".to_owned())),
        };
        let mut settings = HashMap::new();
        let mut wrong: Vec<_> = file.into_iter().collect();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => drop(settings.insert(name, value)),
                Err(_) if NAMES.contains(&name.as_str()) => wrong.push((name, "must be valid UTF-8".into())),
                Err(_) => {}
            }
        }
        match Config::from_settings(&settings) {
            Ok(config) if wrong.is_empty() => Ok(config),
            Ok(_) => Err(ConfigError(wrong)),
            Err(ConfigError(more)) => {
                wrong.extend(more);
                Err(ConfigError(wrong))
            }
        }
    }

    /// As [`Config::from_environment`], from given settings.
    pub fn from_settings(settings: &HashMap<String, String>) -> Result<Config, ConfigError> {
        let mut reader = SettingsReader { settings, wrong: Vec::new() };
        let ip = reader.read("IP", "must be an IP address such as 127.0.0.1, or 0.0.0.0 for all", |text| {
            if text == "localhost" { Some(IpAddr::V4(Ipv4Addr::LOCALHOST)) } else { text.parse().ok() }
        });
        let port = reader.read("PORT", "must be a port number from 0 to 65535", |text| text.parse().ok());
        let data_dir = reader.read("DATA_DIR", "must name a folder", |text| Some(PathBuf::from(text)));
        let public_url = reader.read(
            "PUBLIC_URL",
            "must look like https://chat.example.org, without a path",
            Origin::parse,
        );
        let allowed_origins = reader.read(
            "ALLOWED_ORIGINS",
            "must be addresses such as https://chat.example.org, with commas between them",
            |text| text.split(',').filter(|part| !part.trim().is_empty()).map(Origin::parse).collect(),
        );
        let trusted_proxies = reader.read(
            "TRUSTED_PROXIES",
            "must be addresses or networks such as 10.0.0.0/8, with commas between them",
            |text| {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                parts.map(|part| part.parse().ok()).collect()
            },
        );
        let qr = reader.read("QR", "must be auto, yes or no", |text| match text {
            "auto" => Some(None),
            "yes" => Some(Some(true)),
            "no" => Some(Some(false)),
            _ => None,
        });
        let log_filter =
            reader.read("LOG", "must be a level (error, warn, info, debug) or a filter", |text| {
                text.parse::<tracing_subscriber::EnvFilter>().ok().map(|_| text.to_owned())
            });
        let log_json = reader.read("LOG_FORMAT", "must be text or json", |text| match text {
            "text" => Some(false),
            "json" => Some(true),
            _ => None,
        });
        let redis = reader.redis();
        // For tests of servers of several versions: docs/architecture.md.
        let newest_format = reader.read(
            "BECK_NEWEST_FORMAT",
            "must be the number of a format of the log that this version knows",
            |text| Format::KNOWN.into_iter().find(|format| format.number().to_string() == text),
        );
        let SettingsReader { wrong, .. } = reader;
        if !wrong.is_empty() {
            return Err(ConfigError(wrong));
        }
        Ok(Config {
            address: SocketAddr::new(ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), port.unwrap_or(8080)),
            data_dir: data_dir.unwrap_or_else(|| PathBuf::from("data")),
            public_url,
            allowed_origins: [allowed_origins.unwrap_or_default(), dev_server(settings)].concat(),
            trusted_proxies: trusted_proxies.unwrap_or_default(),
            qr: qr.flatten(),
            log_filter: log_filter.unwrap_or_else(|| "info".to_owned()),
            log_json: log_json.unwrap_or(false),
            redis,
            heartbeat: Duration::from_millis(bounds::HEARTBEAT_MS.into()),
            newest_format: newest_format.unwrap_or(Format::NEWEST),
            forget_servers_after: FORGOTTEN_AFTER,
        })
    }
}

/// Where pages come from under `dx serve`, whose own server stands before this one and names this one as the host.
fn dev_server(settings: &HashMap<String, String>) -> Vec<Origin> {
    let set = |name: &str| settings.get(name).filter(|_| cfg!(debug_assertions));
    let (Some(ip), Some(port)) = (set("DIOXUS_DEVSERVER_IP"), set("DIOXUS_DEVSERVER_PORT")) else {
        return Vec::new();
    };
    let hosts = [ip.as_str(), "127.0.0.1", "localhost"];
    hosts.iter().filter_map(|host| Origin::parse(&format!("http://{host}:{port}"))).collect()
}

/// Every variable that Beck reads.
pub const NAMES: [&str; 17] = [
    "IP",
    "PORT",
    "DATA_DIR",
    "PUBLIC_URL",
    "ALLOWED_ORIGINS",
    "TRUSTED_PROXIES",
    "QR",
    "LOG",
    "LOG_FORMAT",
    "REDIS_URL",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_USERNAME",
    "REDIS_PASSWORD",
    "REDIS_TLS",
    "REDIS_CA_FILE",
    "REDIS_PREFIX",
];

fn line_number(line: &str) -> String {
    // The line itself may hold a secret: say only which one it is.
    let text = std::fs::read_to_string(".env").unwrap_or_default();
    match text.lines().position(|candidate| candidate.trim() == line.trim()) {
        Some(index) => format!(" (line {})", index + 1),
        None => String::new(),
    }
}

struct SettingsReader<'a> {
    settings: &'a HashMap<String, String>,
    wrong: Vec<(String, String)>,
}

impl SettingsReader<'_> {
    /// An absent or empty variable is not set.
    fn text(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    fn read<T>(&mut self, name: &str, should: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let parsed = parse(self.text(name)?);
        if parsed.is_none() {
            self.wrong.push((name.to_owned(), should.to_owned()));
        }
        parsed
    }

    fn wrong(&mut self, name: &str, what: &str) {
        self.wrong.push((name.to_owned(), what.to_owned()));
    }

    /// The store, if one is set; the parts of an address may be set one by one, or as a URL.
    fn redis(&mut self) -> Option<RedisSettings> {
        let port = self.read("REDIS_PORT", "must be a port number from 1 to 65535", |text| {
            text.parse::<u16>().ok().filter(|port| *port > 0)
        });
        let tls = self.read("REDIS_TLS", "must be true or false", |text| text.parse::<bool>().ok());
        let prefix = self.read("REDIS_PREFIX", "must be 1 to 64 letters, digits, - _ . or :", |text| {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
            (text.len() <= 64 && text.chars().all(fits)).then(|| text.to_owned())
        });
        let ca_file = self.text("REDIS_CA_FILE").map(PathBuf::from);
        let (url, host) = (self.text("REDIS_URL"), self.text("REDIS_HOST"));
        let (username, password) = (self.text("REDIS_USERNAME"), self.text("REDIS_PASSWORD"));
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let (username, password) = (owned(username), owned(password));
        let mut settings = match (url, host) {
            (Some(url), None) => match RedisSettings::from_url(url) {
                Ok(settings) => settings,
                Err(should) => {
                    self.wrong("REDIS_URL", &should);
                    return None;
                }
            },
            (None, Some(host)) => RedisSettings::at(host, port.unwrap_or(6379)),
            (Some(_), Some(_)) => {
                self.wrong("REDIS_HOST", "is set beside REDIS_URL: set one of the two");
                return None;
            }
            (None, None) => {
                let others = ["REDIS_PORT", "REDIS_USERNAME", "REDIS_PASSWORD", "REDIS_TLS", "REDIS_CA_FILE"];
                if let Some(alone) = others.into_iter().find(|name| self.text(name).is_some()) {
                    self.wrong(alone, "is set, but no address: set REDIS_URL or REDIS_HOST too, or unset it");
                }
                return None;
            }
        };
        if url.is_some() && port.is_some() {
            self.wrong("REDIS_PORT", "is set beside REDIS_URL: write the port there");
        }
        settings.username = username.or(settings.username);
        settings.password = password.or(settings.password);
        settings.tls |= tls == Some(true);
        if settings.tls && tls == Some(false) {
            self.wrong("REDIS_TLS", "is false, but REDIS_URL says rediss://: they must agree");
        }
        if ca_file.is_some() && !settings.tls {
            self.wrong("REDIS_CA_FILE", "is set, but REDIS_TLS is not true");
        }
        settings.ca_file = ca_file;
        settings.prefix = prefix.unwrap_or(settings.prefix);
        Some(settings)
    }
}
