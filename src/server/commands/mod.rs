//! The command line: one file per verb.

/// As `println!`, to whoever still listens: what is done goes on once the output is closed.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($words)*);
    }};
}

/// As [`say`], of what went wrong.
macro_rules! say_fault {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($words)*);
    }};
}

mod admin;
pub mod backup;
pub mod demo;
pub mod doctor;
mod health;
mod migrate;
mod moving;
mod restore;
mod serve;
pub mod verify;
mod without_erased;

use super::admin::Ask;
use super::broker::archive::Kind;
use super::config::Config;
use admin::Task;
use migrate::Way;
use std::path::PathBuf;

const HELP: &str = "\
Beck: team chat with one complete, ordered, checkable log.

Usage: beck [COMMAND]

Commands:
  serve      serve the chat (what happens without a command)
  demo       fill the empty folder DATA_DIR with a demo workspace and print two sign-in links
  backup     write all of the workspace into a file, with hashes of passwords, also while Beck runs:
               beck backup FILE        or beck backup FOLDER, which gives the file a name
  restore    make the workspace from a backup, in the empty DATA_DIR or the empty Redis of the settings:
               beck restore FILE
             Without FILE: fill that Redis, after it was lost, from the copy in this server's DATA_DIR.
             Killed in the middle, nothing is taken for whole, and the same command goes on.
  export     write all messages into a file that other programs can read, without passwords:
               beck export FILE        or beck export FOLDER
  import     make the workspace from an export, as restore does: beck import FILE
  migrate    move the workspace between a data folder and the Redis of the settings, while Beck is stopped:
               beck migrate --from FOLDER --to redis
               beck migrate --from redis --to FOLDER
             Everything is read back and compared; the source stays as a copy that is not served. Killed in the
             middle, nothing is taken for whole, and the same command goes on.
  admin      see and help the people of the workspace, while Beck runs or is stopped:
               beck admin list
               beck admin reset-password HANDLE   prints a new password, and signs out everywhere
               beck admin make-owner HANDLE
               beck admin delete LINK             shows a message, by its link or its id, asks, and deletes it for
                                                  everybody, for ever; --yes does not ask
  format     print the format of the log, the newest one that this version reads and, on Redis, what each server reads
             that was heard in the last ten minutes; say whether the log can be raised:
               beck format
               beck format raise       raises the log, unless one of these servers cannot read the newest format
  doctor     look at settings, data folder, log, clock and bundle, and at what a proxy does; say what to change:
               beck doctor
               beck doctor https://chat.example.org
             --idle SECONDS leaves a socket silent for so long (30). The exit code is 1 if there is a fault.
  verify     walk log, copy and state from the first entry on, and say the first thing that is wrong, with its number:
               beck verify             reads only, also while Beck runs; the exit code is 1 if there is a fault
               beck verify --fold      folds the log anew as well, in a folder in DATA_DIR that is removed, and
                                       compares every row
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
    if let ["doctor", rest @ ..] = words.as_slice() {
        return match doctor::Visit::parse(rest) {
            Ok(visit) => {
                super::telemetry::start("off", false);
                in_runtime(async { i32::from(!doctor::run(visit).await) })
            }
            Err(why) => {
                say_fault!("beck: {why}.");
                2
            }
        };
    }
    if let ["verify", rest @ ..] = words.as_slice() {
        let depth = match verify::Depth::parse(rest) {
            Ok(depth) => depth,
            Err(why) => {
                say_fault!("beck: {why}.");
                return 2;
            }
        };
        return match Config::from_environment() {
            Ok(config) => {
                super::telemetry::start("off", false);
                in_runtime(async { i32::from(!verify::run(&config, depth).await) })
            }
            Err(fault) => {
                say_fault!("{fault}");
                2
            }
        };
    }
    let command: Box<dyn FnOnce(Config) -> Ended> = match words.as_slice() {
        [] | ["serve"] => Box::new(serve::run),
        ["demo"] => Box::new(demo::run),
        ["health"] => Box::new(health::run),
        ["restore"] => Box::new(restore::run_copy),
        [verb @ ("backup" | "restore" | "export" | "import"), path] if !path.starts_with('-') => {
            let kind = if matches!(*verb, "backup" | "restore") { Kind::Backup } else { Kind::Export };
            let path = PathBuf::from(path);
            match *verb {
                "backup" | "export" => Box::new(move |config| backup::run(config, kind, path)),
                _ => Box::new(move |config| restore::run(config, kind, path)),
            }
        }
        [verb @ ("backup" | "restore" | "export" | "import"), ..] => {
            say_fault!("beck: write beck {verb} FILE.");
            return 2;
        }
        ["admin", rest @ ..] => match admin::parse(rest) {
            Ok(task) => Box::new(|config| admin::run(config, task)),
            Err(why) => {
                say_fault!("beck: {why}.");
                return 2;
            }
        },
        ["format"] => Box::new(|config| admin::run(config, Task::Ask(Ask::Format))),
        ["format", "raise"] => Box::new(|config| admin::run(config, Task::Ask(Ask::RaiseFormat))),
        ["format", ..] => {
            say_fault!("beck: write beck format or beck format raise.");
            return 2;
        }
        ["migrate", rest @ ..] => match Way::parse(rest) {
            Ok(way) => Box::new(|config| migrate::run(config, way)),
            Err(why) => {
                say_fault!("beck: {why}.");
                return 2;
            }
        },
        ["help" | "--help" | "-h"] => {
            say!("{}", HELP.trim_end());
            return 0;
        }
        ["version" | "--version" | "-V"] => {
            say!("beck {}", env!("CARGO_PKG_VERSION"));
            return 0;
        }
        other => {
            say_fault!("beck: there is no command {:?}. See beck --help.", other.join(" "));
            return 2;
        }
    };
    let config = match Config::from_environment() {
        Ok(config) => config,
        Err(fault) => {
            say_fault!("{fault}");
            return 2;
        }
    };
    super::telemetry::start(&config.log_filter, config.log_json);
    in_runtime(async {
        match command(config).await {
            Ok(()) => 0,
            Err(why) => {
                say_fault!("beck: {}.", why.trim_end_matches('.'));
                1
            }
        }
    })
}

fn in_runtime(what: impl Future<Output = i32>) -> i32 {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(what),
        Err(fault) => {
            say_fault!("beck: the runtime cannot be started: {fault}");
            1
        }
    }
}

/// What a command ends with: nothing to say, or one sentence.
type Ended = futures::future::BoxFuture<'static, Result<(), String>>;
