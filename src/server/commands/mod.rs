//! The command line: one file per verb.

pub mod demo;
mod health;
mod migrate;
mod moving;
mod restore;
mod serve;

use super::config::Config;
use migrate::Way;

const HELP: &str = "\
Beck: team chat with one complete, ordered, checkable log.

Usage: beck [COMMAND]

Commands:
  serve      serve the chat (what happens without a command)
  demo       fill the empty folder DATA_DIR with a demo workspace and print two sign-in links
  migrate    move the workspace between a data folder and the Redis of the settings, while Beck is stopped:
               beck migrate --from FOLDER --to redis
               beck migrate --from redis --to FOLDER
             Everything is read back and compared; the source stays as a copy that is not served. Killed in the
             middle, nothing is taken for whole, and the same command goes on.
  restore    fill the empty Redis of the settings, after it was lost, from the copy in this server's DATA_DIR
  health     ask the running server of this configuration whether it is well (exit code 0)
  help       this text
  version    the version

Settings come from the environment and from the file .env:
  IP               address to listen on (127.0.0.1)
  PORT             port to listen on (8080; 0 picks a free one)
  DATA_DIR         folder that holds everything (./data); with Redis, what this server made of the log
  PUBLIC_URL       the address that people type, behind a proxy (https://chat.example.org)
  ALLOWED_ORIGINS  further addresses that pages may come from, with commas between
  TRUSTED_PROXIES  proxies whose X-Forwarded-For counts (127.0.0.1,10.0.0.0/8), with commas between
  QR               yes or no: a QR code of the address at the start (auto: in a terminal)
  LOG              error, warn, info, debug or a filter (info)
  LOG_FORMAT       text or json (text)
  REDIS_URL        Redis 7 or Valkey that many servers share: redis://user:password@host:6379/0, rediss:// for TLS;
                   or in parts: REDIS_HOST, REDIS_PORT, REDIS_USERNAME, REDIS_PASSWORD, REDIS_TLS
  REDIS_CA_FILE    PEM file of the authority that signed its certificate
  REDIS_PREFIX     first word of every key, one for each workspace (beck)
";

/// Runs a command; gives the exit code.
pub fn run(arguments: Vec<String>) -> i32 {
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let command: Box<dyn FnOnce(Config) -> Ended> = match words.as_slice() {
        [] | ["serve"] => Box::new(serve::run),
        ["demo"] => Box::new(demo::run),
        ["health"] => Box::new(health::run),
        ["restore"] => Box::new(restore::run),
        ["migrate", rest @ ..] => match Way::parse(rest) {
            Ok(way) => Box::new(|config| migrate::run(config, way)),
            Err(why) => {
                eprintln!("beck: {why}.");
                return 2;
            }
        },
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            return 0;
        }
        ["version" | "--version" | "-V"] => {
            println!("beck {}", env!("CARGO_PKG_VERSION"));
            return 0;
        }
        other => {
            eprintln!("beck: there is no command {:?}. See beck --help.", other.join(" "));
            return 2;
        }
    };
    let config = match Config::from_environment() {
        Ok(config) => config,
        Err(fault) => {
            eprintln!("{fault}");
            return 2;
        }
    };
    super::telemetry::start(&config.log_filter, config.log_json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => {
            eprintln!("beck: the runtime cannot be started: {fault}");
            return 1;
        }
    };
    match runtime.block_on(command(config)) {
        Ok(()) => 0,
        Err(why) => {
            eprintln!("beck: {why}.");
            1
        }
    }
}

/// What a command ends with: nothing to say, or one sentence.
type Ended = futures::future::BoxFuture<'static, Result<(), String>>;
