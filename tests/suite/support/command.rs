//! A command of `beck` as a process.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

/// A command of beck that runs.
pub struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Running {
    pub fn start(words: &[&str], settings: &[(&str, &str)]) -> Running {
        let mut child = Command::new(env!("CARGO_BIN_EXE_beck"))
            .args(words)
            .env_clear()
            .env("LOG", "off")
            .envs(settings.iter().copied())
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }

    /// Kills it once it has said so many lines; `false` if it had ended by then.
    pub fn kill_after(mut self, lines: usize) -> bool {
        let said = self.lines.by_ref().take(lines).count();
        self.child.kill().unwrap();
        said == lines && self.child.wait().unwrap().code().is_none()
    }

    pub fn first_line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    /// Closes its output, sends it SIGTERM, and gives its exit code; none if a signal ended it.
    pub fn stop_unheard(self) -> Option<i32> {
        let Running { mut child, lines } = self;
        drop((lines, child.stderr.take()));
        let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(told.success());
        child.wait().unwrap().code()
    }

    /// Waits until a server is ready and stops it; gives every line that it said.
    pub fn stop(mut self) -> Vec<String> {
        let mut said = vec![self.first_line()];
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        said.extend(self.lines.map_while(Result::ok));
        assert!(self.child.wait().unwrap().success(), "{said:?}");
        said
    }

    /// Whether it went well, and all that it said.
    pub fn end(mut self) -> (bool, String) {
        let mut said: Vec<_> = self.lines.map_while(Result::ok).collect();
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        said.extend(errors.lines().map(str::to_owned));
        (self.child.wait().unwrap().success(), said.join("\n"))
    }
}

/// Runs a command that must refuse, in one sentence.
pub fn refused(words: &[&str], settings: &[(&str, &str)]) -> String {
    let (done, said) = Running::start(words, settings).end();
    assert!(!done, "{said}");
    said.lines().last().unwrap().to_owned()
}
