//! Plays the script that every client plays, through this client's public API.
//!
//! `clients/conformance/README.md` has the script's words and what the environment tells; `stage.py` beside it sets the hub
//! up and runs this program. What is absent: retries, renewal and paging; they are the client's, and are what is tried.

mod calls;
mod expectation;
mod messages;
mod play;
mod script;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;

use self::play::Play;
use self::script::Script;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let path = variable("POINTBRIDGE_SCRIPT")?;
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let script: Script = serde_json::from_str(&text).with_context(|| format!("{path} is no script"))?;
    let stage = play::Stage {
        endpoint: variable("POINTBRIDGE_ENDPOINT")?,
        pki: variable("POINTBRIDGE_PKI")?,
        control: variable("POINTBRIDGE_CONTROL")?,
    };
    let mut play = Play::new(stage, &script)?;
    for (index, step) in script.steps.iter().enumerate() {
        let number = index.saturating_add(1);
        if let Err(error) = play.step(step).await {
            writeln!(std::io::stderr(), "step {number}, {}: {error:#}", step.note)?;
            return Ok(ExitCode::FAILURE);
        }
    }
    writeln!(std::io::stdout(), "{} steps of the script, all as expected", script.steps.len())?;
    Ok(ExitCode::SUCCESS)
}

fn variable(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set: let stage.py run this program"))
}
