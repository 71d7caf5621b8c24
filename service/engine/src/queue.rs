//! What waits to be written: a line per party, taken from in turn.
//!
//! One line for all would be first come, first served, and a party that keeps it full would have everybody else wait behind
//! it. Here every party has a line of its own; a batch takes one command of each, then the next of each, and goes on in the
//! next batch where it stopped. A command that is alone in its party's line therefore enters the next batch, as long as fewer
//! parties wait than a batch has places. Within a party the order of arrival is kept.
//!
//! Room is bounded per party and in all. Where all of it is used, the longest line gives up the newest that stands in it for
//! a party with a shorter line, so that two parties together cannot keep a third one out either. What time asks for has a line
//! too; it is never refused, never counted, and bounded by how much the sweeper takes at a time.
//!
//! Absent on purpose: priorities among parties.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pointbridge_core::caller::Party;
use tokio::sync::Notify;

use crate::{Failure, Waiting};

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// In all.
    pub(crate) commands_max: usize,
    /// In one party's line.
    pub(crate) commands_per_party_max: usize,
}

/// The lines, shared by those who hand commands over and the one who writes.
pub(crate) struct Queue {
    bounds: Bounds,
    lines: Mutex<Lines>,
    arrived: Notify,
}

#[derive(Default)]
struct Lines {
    /// Never an empty line.
    by_party: HashMap<Party, VecDeque<Waiting>>,
    /// Each party that has a line, once; whose turn is next stands first.
    turns: VecDeque<Party>,
    /// What waits, but for what time asks for.
    waiting: usize,
    is_closed: bool,
}

impl Queue {
    /// An open queue in which nothing waits.
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, lines: Mutex::default(), arrived: Notify::new() }
    }

    /// Puts a command at the end of its party's line. Answers whether another one had to give up its place for it.
    ///
    /// # Errors
    /// Draining where the queue is closed, then Overloaded where there is no room.
    pub(crate) fn push(&self, waiting: Waiting) -> Result<bool, Failure> {
        let shed = self.lock().push(waiting, self.bounds)?;
        let is_shed = shed.is_some();
        if let Some(shed) = shed {
            shed.answer(Err(Failure::Overloaded));
        }
        self.arrived.notify_one();
        Ok(is_shed)
    }

    /// How many commands wait, those of time included.
    pub(crate) fn len(&self) -> usize {
        let lines = self.lock();
        let of_time = lines.by_party.get(&Party::Hub).map_or(0, VecDeque::len);
        lines.waiting.saturating_add(of_time)
    }

    /// Adds to a batch, party by party, until it has `len_max` commands or nothing waits.
    pub(crate) fn fill(&self, batch: &mut Vec<Waiting>, len_max: usize) {
        let mut lines = self.lock();
        while batch.len() < len_max {
            let Some(next) = lines.pop() else { return };
            batch.push(next);
        }
    }

    /// Waits until something waits. It may wake without.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Takes nothing more. What waits stays.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
    }

    /// Takes nothing more, and lets go of what waits: its callers learn that nobody is there to answer.
    pub(crate) fn abandon(&self) {
        let mut lines = self.lock();
        lines.is_closed = true;
        let left = std::mem::take(&mut lines.by_party);
        (lines.turns, lines.waiting) = (VecDeque::new(), 0);
        // Whoever is told may take this lock again.
        drop(lines);
        drop(left);
    }

    /// Nothing is left half done between two statements, so a panic elsewhere leaves nothing to distrust.
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    /// Answers with the command that had to give up its place.
    fn push(&mut self, waiting: Waiting, bounds: Bounds) -> Result<Option<Waiting>, Failure> {
        if self.is_closed {
            return Err(Failure::Draining);
        }
        let party = waiting.party().clone();
        let is_counted = party != Party::Hub;
        let length = self.by_party.get(&party).map_or(0, VecDeque::len);
        let mut shed = None;
        if is_counted {
            if length >= bounds.commands_per_party_max {
                return Err(Failure::Overloaded);
            }
            if self.waiting >= bounds.commands_max {
                shed = Some(self.shed_for(length).ok_or(Failure::Overloaded)?);
            }
            self.waiting = self.waiting.saturating_add(1);
        }
        if length == 0 {
            self.turns.push_back(party.clone());
        }
        self.by_party.entry(party).or_default().push_back(waiting);
        Ok(shed)
    }

    /// The newest of the longest line, if that line stays at least as long as one of `length` with one more.
    fn shed_for(&mut self, length: usize) -> Option<Waiting> {
        let counted = self.by_party.iter_mut().filter(|(party, _)| **party != Party::Hub);
        let (_, longest) = counted.max_by_key(|(_, line)| line.len())?;
        // So long a line keeps at least one command: it needs no cleaning up.
        if longest.len() <= length.saturating_add(1) {
            return None;
        }
        let shed = longest.pop_back()?;
        self.waiting = self.waiting.saturating_sub(1);
        Some(shed)
    }

    /// The first of the party whose turn it is.
    fn pop(&mut self) -> Option<Waiting> {
        let party = self.turns.pop_front()?;
        let line = self.by_party.get_mut(&party)?;
        let next = line.pop_front();
        if party != Party::Hub {
            self.waiting = self.waiting.saturating_sub(1);
        }
        if line.is_empty() {
            self.by_party.remove(&party);
        } else {
            self.turns.push_back(party);
        }
        next
    }
}
