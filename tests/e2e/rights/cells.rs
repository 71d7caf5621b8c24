//! One cell of the walk: a method, asked by a kind of principal, about somebody's objects; and what came back.
//!
//! What would succeed is asked as `validate_only`, so that every cell finds the same objects. What is refused is asked
//! again for real, must be refused alike, and must leave nothing behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use pointbridge::authz::Effect;
use pointbridge_client::Refusal;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::cast::Kind;
use super::recipes::{Ask, Given, Recipe, of_method};
use super::stage::{Objects, Stage};
use super::{Method, methods, row};
use crate::raw::{self, Metadata};

/// Whose objects a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whose {
    Nobodys,
    Markets,
    Bakerys,
    Missing,
}

impl Whose {
    const NAMED: [Self; 3] = [Self::Markets, Self::Bakerys, Self::Missing];

    fn as_str(self) -> &'static str {
        match self {
            Self::Nobodys => "-",
            Self::Markets => "market's",
            Self::Bakerys => "bakery's",
            Self::Missing => "missing",
        }
    }
}

/// What came back, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    code: Code,
    message: String,
    details: Vec<u8>,
    /// Names and values of headers and trailers, but for the date.
    metadata: Metadata,
    body: Vec<u8>,
}

impl Answer {
    fn of(result: Result<(Vec<u8>, Metadata), Status>) -> Self {
        match result {
            Ok((body, metadata)) => {
                Self { code: Code::Ok, message: String::new(), details: Vec::new(), metadata, body }
            }
            Err(status) => Self {
                code: status.code(),
                message: status.message().to_owned(),
                details: status.details().to_vec(),
                metadata: raw::metadata(status.metadata()),
                body: Vec::new(),
            },
        }
    }

    /// Whether the method succeeded.
    pub(crate) fn is_success(&self) -> bool {
        self.code == Code::Ok
    }

    /// The answer with every name of some objects replaced by the same name of others.
    ///
    /// A refusal may repeat the name that its caller sent, as here the two callers sent different ones. All names have
    /// their counterparts' lengths, so that the bytes around them stay what they are.
    pub(crate) fn renamed(mut self, from: &Objects, to: &Objects) -> Self {
        for (from, to) in from.names().into_iter().zip(to.names()) {
            assert_eq!(from.len(), to.len(), "{from} and {to} must have one length");
            if !from.is_empty() {
                self.message = self.message.replace(from.as_str(), to);
                self.details = raw::replaced(&self.details, from, to);
                self.body = raw::replaced(&self.body, from, to);
            }
        }
        self
    }
}

/// A cell and what came back.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) method: String,
    pub(crate) by: &'static str,
    pub(crate) kind: Kind,
    pub(crate) whose: Whose,
    pub(crate) answer: Answer,
    /// The answer in words: what is golden.
    pub(crate) outcome: String,
    /// The objects that it named, and those that do not exist in their place.
    pub(crate) named: Option<(Objects, Objects)>,
}

/// Asks everything, as every one of these kinds, all of them at once.
pub(crate) async fn walk(stage: &mut Stage, kinds: &[Kind]) -> Vec<Cell> {
    let mut channels: Vec<(Kind, Channel)> = Vec::new();
    for kind in kinds {
        channels.push((*kind, kind.connect(stage).await));
    }
    let before = stage.rows().await;
    let mut cells = Vec::new();
    for method in methods() {
        let recipes = of_method(&method.path);
        assert!(!recipes.is_empty(), "{} has no request in tests/e2e/rights/recipes.rs", method.path);
        for recipe in recipes {
            let objects = Arc::new(stage.quoted().await);
            let asking: Vec<JoinHandle<Vec<Cell>>> = channels
                .iter()
                .map(|(kind, channel)| {
                    let (method, channel) = (method.clone(), channel.clone());
                    let caller = Caller { kind: *kind, channel, method, all: Arc::clone(&objects) };
                    tokio::spawn(async move { caller.ask_all(recipe).await })
                })
                .collect();
            for asked in asking {
                cells.extend(asked.await.unwrap());
            }
        }
    }
    assert_alerts(kinds, &cells);
    assert_eq!(stage.rows().await, before, "a refused or dry call left a row");
    cells
}

/// A refused connection may break before the hub's reason is read: of many attempts, one at least must tell it.
fn assert_alerts(kinds: &[Kind], cells: &[Cell]) {
    for kind in kinds {
        if let Some(alert) = kind.alert() {
            let refusals = cells.iter().filter(|cell| cell.kind.name == kind.name);
            let said: BTreeSet<&str> = refusals.map(|cell| cell.answer.message.as_str()).collect();
            assert!(said.iter().any(|text| text.contains(alert)), "{}: no {alert} in {said:?}", kind.name);
        }
    }
}

struct Caller {
    kind: Kind,
    channel: Channel,
    method: Method,
    /// Everybody's objects.
    all: Arc<BTreeMap<&'static str, Objects>>,
}

impl Caller {
    async fn ask_all(&self, recipe: Recipe) -> Vec<Cell> {
        let all = &*self.all;
        let make = match recipe.ask {
            Ask::Plain(make) => return vec![self.ask(recipe.by, Whose::Nobodys, None, |_| make()).await],
            Ask::Of(make) => make,
        };
        let own = &all[self.kind.partner().filter(|code| all.contains_key(code)).unwrap_or("market")];
        let mut cells = Vec::new();
        for whose in Whose::NAMED {
            let existing = &all[if whose == Whose::Bakerys { "bakery" } else { "market" }];
            let missing = existing.missing();
            let named = if whose == Whose::Missing { &missing } else { existing };
            let make = |dry| make(Given { named, own, dry });
            let pair = Some((named.clone(), missing.clone()));
            cells.push(self.ask(recipe.by, whose, pair, make).await);
        }
        cells
    }

    async fn ask(
        &self,
        by: &'static str,
        whose: Whose,
        named: Option<(Objects, Objects)>,
        make: impl Fn(bool) -> Vec<u8>,
    ) -> Cell {
        let answer = self.send(make(true)).await;
        let outcome = self.outcome(&answer);
        if answer.code != Code::Ok && row(&self.method.path).effect == Effect::Write {
            let real = self.outcome(&self.send(make(false)).await);
            let cell = format!("{} {} for {}", self.method.path, whose.as_str(), self.kind.name);
            assert_eq!(real, outcome, "{cell}: decided otherwise than carried out");
        }
        let (method, kind) = (self.method.path.clone(), self.kind);
        Cell { method, by, kind, whose, answer, outcome, named }
    }

    async fn send(&self, bytes: Vec<u8>) -> Answer {
        let streams = self.method.descriptor.server_streaming();
        Answer::of(raw::first(self.channel.clone(), &self.method.path, bytes, streams).await)
    }

    fn outcome(&self, answer: &Answer) -> String {
        if answer.code == Code::Ok {
            return format!("OK, shows {}", shown(&answer.body, &self.all));
        }
        let status = Status::with_details(answer.code, &answer.message, answer.details.clone().into());
        let refusal = Refusal::from(&status);
        if self.kind.alert().is_some() {
            assert_eq!(refusal.reason, "", "the hub spoke to {}: {status:?}", self.kind.name);
            return "no connection".to_owned();
        }
        assert_ne!(refusal.reason, "", "{} for {}: {status:?}", self.method.path, self.kind.name);
        format!("{:?} {}", refusal.code, refusal.reason)
    }
}

/// Of whom an answer speaks: the partners whose names or objects stand in it.
fn shown(body: &[u8], all: &BTreeMap<&'static str, Objects>) -> String {
    let has =
        |name: &str| !name.is_empty() && body.windows(name.len()).any(|window| window == name.as_bytes());
    let speaks_of = all.iter().filter(|(_, objects)| objects.names().into_iter().any(|name| has(name)));
    let partners: Vec<&str> = speaks_of.map(|(code, _)| *code).collect();
    if partners.is_empty() { "nobody".to_owned() } else { partners.join(" and ") }
}

/// The walk as people review it. Kinds that always get the same answer stand at the head, once.
pub(crate) fn golden(cells: &[Cell]) -> String {
    let mut always: Vec<(&str, BTreeSet<&str>)> = Vec::new();
    for cell in cells {
        match always.iter_mut().find(|(kind, _)| *kind == cell.kind.name) {
            Some((_, outcomes)) => drop(outcomes.insert(&cell.outcome)),
            None => always.push((cell.kind.name, BTreeSet::from([cell.outcome.as_str()]))),
        }
    }
    always.retain(|(_, outcomes)| outcomes.len() == 1);
    let mut text =
        "What every kind of principal is answered, by method and by whose objects it names\n".to_owned();
    text += "\nevery method, whatever it names\n";
    let everywhere =
        always.iter().flat_map(|(kind, outcomes)| outcomes.iter().map(move |outcome| (*outcome, *kind)));
    push(&mut text, "", everywhere);
    let mut heading = String::new();
    let mut left: Vec<&Cell> =
        cells.iter().filter(|cell| !always.iter().any(|(kind, _)| *kind == cell.kind.name)).collect();
    left.sort_by_key(|cell| (order(cells, &cell.method, cell.by), cell.whose));
    for group in
        left.chunk_by(|one, other| (&one.method, one.by, one.whose) == (&other.method, other.by, other.whose))
    {
        let first = group[0];
        let next = format!("{} {}", first.method, first.by);
        if next != heading {
            write!(text, "\n{}\n", next.trim_end()).unwrap();
            heading = next;
        }
        push(
            &mut text,
            first.whose.as_str(),
            group.iter().map(|cell| (cell.outcome.as_str(), cell.kind.name)),
        );
    }
    text
}

fn order(cells: &[Cell], method: &str, by: &str) -> usize {
    cells.iter().position(|cell| cell.method == method && cell.by == by).unwrap()
}

/// A line for each outcome, with those who get it, in the order of the cast.
fn push<'a>(text: &mut String, whose: &str, answers: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut by_outcome: Vec<(&str, Vec<&str>)> = Vec::new();
    for (outcome, kind) in answers {
        match by_outcome.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, kinds)) => kinds.push(kind),
            None => by_outcome.push((outcome, vec![kind])),
        }
    }
    for (outcome, kinds) in by_outcome {
        writeln!(text, "  {whose:<8} {outcome:<42} {}", kinds.join(", ")).unwrap();
    }
}
