//! The scripts, run by their hash; a store that does not know one yet is given it. Each script writes at most once:
//! two writes of one script stand in the append-only file between MULTI and EXEC, and a power cut that tears them apart
//! leaves a file from which Redis later brings back entries that were replaced.

use super::connect::Line;
use ::redis::{Cmd, FromRedisValue, RedisError, cmd};
use sha1::{Digest as _, Sha1};
use std::sync::LazyLock;

pub struct Script {
    text: &'static str,
    hash: LazyLock<String>,
}

macro_rules! script {
    ($name:ident, $file:literal) => {
        pub static $name: Script =
            Script { text: include_str!($file), hash: LazyLock::new(|| hash(include_str!($file))) };
    };
}

script!(APPEND, "append.lua");
script!(ERASE, "erase.lua");
script!(REMOVE, "remove.lua");
script!(SECRET, "secret.lua");
script!(SECRET_END, "secret_end.lua");
script!(REGISTERS, "registers.lua");
script!(SEAL, "seal.lua");

fn hash(text: &str) -> String {
    Sha1::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The command that a script could not run, from the line of it that an error names.
pub fn command_at(detail: &str) -> Option<&'static str> {
    let scripts = [&APPEND, &ERASE, &REMOVE, &SECRET, &SECRET_END, &REGISTERS, &SEAL];
    let script = scripts.into_iter().find(|script| detail.contains(script.hash.as_str()))?;
    let line = detail.split("user_script:").nth(1)?;
    let line: String = line.chars().take_while(char::is_ascii_digit).collect();
    let line = script.text.lines().nth(line.parse::<usize>().ok()?.checked_sub(1)?)?;
    line.split("redis.call('").nth(1)?.split('\'').next()
}

impl Script {
    /// The call of this script on these keys; arguments follow.
    pub fn call(&self, keys: &[&str]) -> Cmd {
        let mut call = cmd("EVALSHA");
        call.arg(self.hash.as_str()).arg(keys.len()).arg(keys);
        call
    }

    /// Makes the store know this script.
    pub async fn load(&self, line: &Line) -> Result<(), Result<RedisError, String>> {
        line.ask::<String>(cmd("SCRIPT").arg("LOAD").arg(self.text)).await.map(drop)
    }

    /// Runs a call. A store that does not know the script has done nothing: it is loaded and called once more. Nor has
    /// a node of a cluster that has the keys no more: the one that it names is asked.
    pub async fn run<T: FromRedisValue>(
        &self,
        line: &Line,
        call: &Cmd,
    ) -> Result<T, Result<RedisError, String>> {
        for _ in 0..3 {
            match line.ask(call).await {
                Err(Ok(fault)) if fault.code() == Some("NOSCRIPT") => {
                    self.load(line).await?;
                }
                // The line has heeded it.
                Err(Ok(fault)) if fault.code() == Some("MOVED") => {}
                done => return done,
            }
        }
        line.ask(call).await
    }
}
