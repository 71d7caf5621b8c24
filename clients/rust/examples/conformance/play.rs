//! The play: one client per caller, the variables, and one step after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use pointbridge_client::{Client, Config};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::calls::{self, Outcome};
use crate::expectation::{hold, hold_refusal};
use crate::script::{FORMAT, Script, Step};

/// How far apart the calls of a step are that has to come true within some time.
const AGAIN: Duration = Duration::from_millis(500);

/// Where everything is.
pub(crate) struct Stage {
    pub(crate) endpoint: String,
    pub(crate) pki: String,
    pub(crate) control: String,
}

/// The play so far.
pub(crate) struct Play {
    stage: Stage,
    callers: BTreeMap<String, String>,
    clients: BTreeMap<String, Client>,
    variables: BTreeMap<String, String>,
    answers: BTreeMap<String, Value>,
}

impl Play {
    /// Before the first step.
    ///
    /// # Errors
    /// The script is of another format.
    pub(crate) fn new(stage: Stage, script: &Script) -> anyhow::Result<Self> {
        ensure!(script.format == FORMAT, "the script has the format {}, not {FORMAT}", script.format);
        let (callers, variables) = (script.callers.clone(), script.variables.clone());
        Ok(Self { stage, callers, clients: BTreeMap::new(), variables, answers: BTreeMap::new() })
    }

    /// Plays a step.
    ///
    /// # Errors
    /// Something else came than what is expected.
    pub(crate) async fn step(&mut self, step: &Step) -> anyhow::Result<()> {
        if let Some(millis) = step.wait_ms {
            sleep(Duration::from_millis(millis)).await;
        }
        let client = self.client(&step.caller).await?;
        if let Some(control) = &step.control {
            let answer = self.control(control).await?;
            self.save(&step.save_control, &answer)?;
        }
        let patience = step.within_seconds.map(Duration::from_secs).unwrap_or_default();
        let began = Instant::now();
        loop {
            let played = match (&step.call, &step.page) {
                (Some(method), None) => self.call(&client, method, step).await,
                (None, Some(method)) => self.page(&client, method, step).await,
                _ => bail!("a step has either `call` or `page`"),
            };
            if played.is_ok() || began.elapsed() >= patience {
                return played;
            }
            sleep(AGAIN).await;
        }
    }

    async fn call(&mut self, client: &Client, method: &str, step: &Step) -> anyhow::Result<()> {
        let request = self.filled(&step.request)?;
        let deadline = step.deadline_ms.map(Duration::from_millis);
        let outcome = calls::call(client, method, &request, deadline).await?;
        let Some(answer) = answered(step, outcome)? else { return Ok(()) };
        if let Some(expected) = &step.expect {
            hold(&self.filled(expected)?, Some(&answer), "answer")?;
        }
        if let Some(name) = &step.expect_same {
            let before = self.answers.get(name).with_context(|| format!("no answer was kept as {name}"))?;
            ensure!(*before == answer, "expected the answer {before}, got {answer}");
        }
        self.save(&step.save, &answer)?;
        if let Some(name) = &step.save_answer {
            self.answers.insert(name.clone(), answer);
        }
        Ok(())
    }

    async fn page(&mut self, client: &Client, method: &str, step: &Step) -> anyhow::Result<()> {
        let request = self.filled(&step.request)?;
        let outcome = calls::items(client, method, &request).await?;
        let Some(items) = answered(step, outcome)? else { return Ok(()) };
        if let Some(expected) = step.expect_items {
            ensure!(items.len() == expected, "expected {expected} items, got {}", items.len());
        }
        if let Some(expected) = &step.expect_first {
            hold(&self.filled(expected)?, items.first(), "first item")?;
        }
        Ok(())
    }

    /// The client of a caller, made when the caller is first named.
    async fn client(&mut self, caller: &str) -> anyhow::Result<Client> {
        if let Some(client) = self.clients.get(caller) {
            return Ok(client.clone());
        }
        let stem = self.callers.get(caller).with_context(|| format!("there is no caller {caller}"))?;
        let config = Config::in_folder(&self.stage.endpoint, &self.stage.pki, stem);
        let client = Client::connect(&config).await?;
        self.clients.insert(caller.to_owned(), client.clone());
        Ok(client)
    }

    async fn control(&self, request: &Value) -> anyhow::Result<Value> {
        let mut stream = BufReader::new(TcpStream::connect(&self.stage.control).await?);
        stream.write_all(format!("{}\n", self.filled(request)?).as_bytes()).await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let answer: Value = serde_json::from_str(&line)?;
        ensure!(answer.get("ok") == Some(&Value::Bool(true)), "the stage answers {answer} to {request}");
        Ok(answer)
    }

    fn save(&mut self, names: &BTreeMap<String, String>, answer: &Value) -> anyhow::Result<()> {
        for (name, path) in names {
            let found = path.split('.').try_fold(answer, |value, key| match key.parse::<usize>() {
                Ok(index) => value.get(index),
                Err(_) => value.get(key),
            });
            let text = found.and_then(Value::as_str);
            let text = text.with_context(|| format!("the answer has no text at {path}: {answer}"))?;
            self.variables.insert(name.clone(), text.to_owned());
        }
        Ok(())
    }

    /// JSON with every `${name}` replaced.
    fn filled(&self, json: &Value) -> anyhow::Result<Value> {
        Ok(match json {
            Value::String(text) => Value::String(self.filled_text(text)?),
            Value::Array(items) => {
                items.iter().map(|item| self.filled(item)).collect::<anyhow::Result<_>>()?
            }
            Value::Object(keys) => keys
                .iter()
                .map(|(key, value)| Ok((key.clone(), self.filled(value)?)))
                .collect::<anyhow::Result<_>>()?,
            other => other.clone(),
        })
    }

    fn filled_text(&self, text: &str) -> anyhow::Result<String> {
        let mut parts = text.split("${");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) =
                part.split_once('}').with_context(|| format!("{text:?} opens and does not close"))?;
            let value = self.variables.get(name).with_context(|| format!("there is no variable {name}"))?;
            filled.push_str(value);
            filled.push_str(rest);
        }
        Ok(filled)
    }
}

/// The answer of an outcome; `None` where a refusal came that was expected.
fn answered<T>(step: &Step, outcome: Outcome<T>) -> anyhow::Result<Option<T>> {
    match (outcome, &step.expect_error) {
        (Ok(answer), None) => Ok(Some(answer)),
        (Ok(_), Some(expected)) => bail!("expected the refusal {:?}, got an answer", expected.reason),
        (Err(refusal), Some(expected)) => hold_refusal(expected, &refusal).map(|()| None),
        (Err(refusal), None) => Err(anyhow::anyhow!("refused: {refusal}")),
    }
}
