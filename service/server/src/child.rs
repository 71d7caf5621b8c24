//! This very program with other arguments, as a child process: started, listened to, told to end.
//!
//! Nothing needs to be installed for it. A child gets a process group of its own: an interrupt from the keyboard reaches
//! the parent alone, which then stops its children in order. Absent: what the children do.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// What a server of ours prints before its address when it is ready.
const READY: &str = "listening on ";
const START_MAX: Duration = Duration::from_secs(30);
/// The hub itself gives up after 35 s.
const STOP_MAX: Duration = Duration::from_secs(40);
/// Lines of a child's log that an error repeats.
const LOG_LINES_SHOWN: usize = 12;

/// Whether a child goes on when its parent ends in whatever way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// It ends with its parent.
    WithParent,
    /// It goes on.
    Outlives,
}

/// A running child.
pub(crate) struct ChildProgram {
    child: Child,
    stdin: Option<ChildStdin>,
    /// Held open: a child that writes to a closed pipe would fail.
    stdout: Lines<BufReader<ChildStdout>>,
    name: &'static str,
    log: PathBuf,
}

/// This program with a command and nothing of the user's own settings.
///
/// # Errors
/// This program's file cannot be found.
pub(crate) fn own_program() -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut own = Command::new(program);
    // Settings of the user's own hub are none of a child's.
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"POINTBRIDGE_"))
    {
        own.env_remove(name);
    }
    Ok(own)
}

impl ChildProgram {
    /// Starts a child that is called `name` in errors and logs to a file.
    ///
    /// # Errors
    /// The log cannot be written, or the program cannot be started.
    pub(crate) fn start(
        mut command: Command,
        name: &'static str,
        log: PathBuf,
        life: Life,
    ) -> anyhow::Result<Self> {
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut child = command
            .stdin(if life == Life::Outlives { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(file)
            .process_group(0)
            .kill_on_drop(life == Life::WithParent)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let stdout = child.stdout.take().with_context(|| format!("{name} has no standard output"))?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, stdout: BufReader::new(stdout).lines(), name, log })
    }

    /// Waits for the address that a server prints when it is ready.
    ///
    /// # Errors
    /// It does not come up; the error repeats the end of its log, and it is ended.
    pub(crate) async fn address(&mut self) -> anyhow::Result<String> {
        let Ok(Ok(Some(address))) = timeout(START_MAX, ready(&mut self.stdout)).await else {
            // It may be up by half; nobody would stop it later.
            self.child.kill().await.ok();
            bail!("{} did not come up; the end of its log:\n{}", self.name, end_of(&self.log));
        };
        Ok(address)
    }

    /// Writes one line to its standard input.
    ///
    /// # Errors
    /// It does not read; the error repeats the end of its log.
    pub(crate) async fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        let stdin = self.stdin.as_mut().with_context(|| format!("{} does not listen", self.name))?;
        let written = stdin.write_all(format!("{line}\n").as_bytes()).await;
        written.with_context(|| format!("{} is gone; the end of its log:\n{}", self.name, end_of(&self.log)))
    }

    /// The next line of its standard output. May be dropped and asked again without a loss.
    ///
    /// # Errors
    /// It ended; the error repeats the end of its log.
    pub(crate) async fn line(&mut self) -> anyhow::Result<String> {
        let line = self.stdout.next_line().await?;
        line.with_context(|| format!("{} ended; the end of its log:\n{}", self.name, end_of(&self.log)))
    }

    /// Its process id; `None` once it has ended.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Closes its standard input, which ends a child that takes orders, and waits for it.
    ///
    /// # Errors
    /// As [`ChildProgram::stop`].
    pub(crate) async fn dismiss(mut self) -> anyhow::Result<()> {
        drop(self.stdin.take());
        self.ended().await
    }

    /// Asks it to end, and waits for it.
    ///
    /// # Errors
    /// It does not end in time (then it is killed), or it ends with another code than 0.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        let name = self.name;
        if let Some(pid) = self.child.id() {
            let sent = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
            ensure!(sent.success(), "{name} (process {pid}) could not be told to end");
        }
        self.ended().await
    }

    async fn ended(&mut self) -> anyhow::Result<()> {
        let name = self.name;
        let Ok(ended) = timeout(STOP_MAX, self.child.wait()).await else {
            self.child.kill().await.ok();
            bail!("{name} did not end within {} s and was killed", STOP_MAX.as_secs());
        };
        let status = ended?;
        let log = end_of(&self.log);
        ensure!(status.success(), "{name} ended with {status}; the end of its log:\n{log}");
        Ok(())
    }
}

/// The address that a server prints when it is ready; `None` where it ends before.
async fn ready(lines: &mut Lines<BufReader<ChildStdout>>) -> std::io::Result<Option<String>> {
    while let Some(line) = lines.next_line().await? {
        if let Some(address) = line.strip_prefix(READY) {
            return Ok(Some(address.trim().to_owned()));
        }
    }
    Ok(None)
}

/// What a program that has ended said of its errors.
pub(crate) fn words_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let end = lines.len().saturating_sub(LOG_LINES_SHOWN);
    lines.into_iter().skip(end).collect::<Vec<_>>().join("\n")
}
