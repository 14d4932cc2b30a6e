//! Where the store is and who we are there.

use ::redis::{ConnectionAddr, IntoConnectionInfo};
use std::fmt;
use std::path::PathBuf;

/// The prefix of every key, where none is set.
pub const DEFAULT_PREFIX: &str = "beck";

/// Address and rights. Its `Debug` never shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSettings {
    pub host: String,
    pub port: u16,
    pub database: i64,
    pub username: Option<String>,
    pub password: Option<String>,
    pub tls: bool,
    /// PEM file of the authority that signed the store's certificate; the system's authorities without it.
    pub ca_file: Option<PathBuf>,
    /// The first word of every key, in braces there: one workspace is one slot of a cluster.
    pub prefix: String,
}

impl RedisSettings {
    /// A store without rights or TLS.
    pub fn at(host: &str, port: u16) -> RedisSettings {
        RedisSettings {
            host: host.to_owned(),
            port,
            database: 0,
            username: None,
            password: None,
            tls: false,
            ca_file: None,
            prefix: DEFAULT_PREFIX.to_owned(),
        }
    }

    /// Reads `redis://user:password@host:6379/0`, or `rediss://` for TLS. What is wrong never repeats the text,
    /// since it may hold a password.
    pub fn from_url(url: &str) -> Result<RedisSettings, String> {
        let should = "must look like redis://user:password@host:6379/0, or rediss:// for TLS";
        let info = url.into_connection_info().map_err(|_| should.to_owned())?;
        let (host, port, tls) = match info.addr() {
            ConnectionAddr::Tcp(host, port) => (host, *port, false),
            ConnectionAddr::TcpTls { insecure: true, .. } => {
                return Err("must not end in #insecure: name the store's authority in REDIS_CA_FILE".into());
            }
            ConnectionAddr::TcpTls { host, port, .. } => (host, *port, true),
            _ => return Err(should.to_owned()),
        };
        let redis = info.redis_settings();
        Ok(RedisSettings {
            database: redis.db(),
            username: redis.username().map(str::to_owned),
            password: redis.password().map(str::to_owned),
            tls,
            ..RedisSettings::at(host, port)
        })
    }

    /// `host:port`, as people write it.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(super) fn key(&self, name: &str) -> String {
        format!("{{{}}}:{name}", self.prefix)
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("address", &self.address())
            .field("database", &self.database)
            .field("username", &self.username)
            .field("tls", &self.tls)
            .field("ca_file", &self.ca_file)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
