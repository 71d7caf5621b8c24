//! What the scenario's names stand for: the ids, tokens and codes that the hub gave out.

use std::collections::BTreeMap;

use anyhow::{Context, bail};

use super::script::{Actor, Call};

/// What a name can stand for. Names of different kinds do not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A program's id, by its code.
    Program,
    /// A membership's id.
    Membership,
    /// A link code, by the membership that it was made for.
    LinkCode,
    /// A consent's id, by membership and recipient.
    Consent,
    /// A quote's token.
    Quote,
    /// An exchange's id, by its order.
    Exchange,
}

/// A writing call that was answered.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) actor: Actor,
    pub(super) call: Call,
    pub(super) request_id: String,
    pub(super) bytes: Vec<u8>,
    /// The number of its step.
    pub(super) number: usize,
}

/// Everything that the hub gave out so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    names: BTreeMap<(Kind, String), String>,
    programs: BTreeMap<String, String>,
    memberships: Vec<(&'static str, Actor)>,
    sent: Vec<Sent>,
}

impl Book {
    /// Remembers what a name stands for; the newest meaning counts.
    pub(super) fn note(&mut self, kind: Kind, name: impl Into<String>, value: impl Into<String>) {
        self.names.insert((kind, name.into()), value.into());
    }

    /// Remembers a membership and who can ask about it.
    pub(super) fn note_membership(&mut self, name: &'static str, owner: Actor, id: String) {
        self.note(Kind::Membership, name, id);
        self.memberships.push((name, owner));
    }

    /// Remembers a program by the code that the hub answered.
    pub(super) fn note_program(&mut self, code: &str, id: &str) {
        self.note(Kind::Program, code, id);
        self.programs.insert(id.to_owned(), code.to_owned());
    }

    /// What a name stands for.
    ///
    /// # Errors
    /// Nothing of this name was given out yet: the scenario is in the wrong order.
    pub(super) fn find(&self, kind: Kind, name: &str) -> anyhow::Result<String> {
        let found = self.names.get(&(kind, name.to_owned())).cloned();
        found
            .with_context(|| format!("the scenario names {name:?} before the hub gave out a {kind:?} for it"))
    }

    /// The code of a program by its id; the id itself where it is not known.
    pub(super) fn program_code(&self, id: &str) -> String {
        self.programs.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    /// The memberships in the order in which they were registered, each with who can ask about it.
    pub(super) fn memberships(&self) -> &[(&'static str, Actor)] {
        &self.memberships
    }

    /// Who can ask about a membership.
    ///
    /// # Errors
    /// It is not registered yet.
    pub(super) fn owner_of(&self, membership: &str) -> anyhow::Result<Actor> {
        let found = self.memberships.iter().find(|(name, _)| *name == membership);
        found.map(|(_, owner)| *owner).with_context(|| format!("{membership:?} is not registered yet"))
    }

    /// Remembers a writing call that was answered.
    pub(super) fn note_sent(&mut self, sent: Sent) {
        self.sent.push(sent);
    }

    /// The last time that this actor sent this call.
    ///
    /// # Errors
    /// It never did.
    pub(super) fn sent(&self, actor: Actor, call: &Call) -> anyhow::Result<&Sent> {
        match self.sent.iter().rev().find(|sent| sent.actor == actor && sent.call == *call) {
            Some(sent) => Ok(sent),
            None => bail!("{} never sent {call:?}, so there is no request id to use again", actor.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::script::commit;

    const AIRLINE: Actor = Actor { name: "airline", principal: "partner/airline/partner/web-1" };
    const MARKET: Actor = Actor { name: "supermarket", principal: "partner/supermarket/partner/till-7" };

    #[test]
    fn a_name_means_what_was_noted_last_and_kinds_do_not_meet() {
        let mut book = Book::default();
        book.note(Kind::Quote, "one", "token 1");
        book.note(Kind::Quote, "one", "token 2");
        assert_eq!(book.find(Kind::Quote, "one").unwrap(), "token 2");
        let said = book.find(Kind::Exchange, "one").unwrap_err().to_string();
        assert!(said.contains("\"one\""), "{said}");
    }

    #[test]
    fn a_call_is_found_again_for_its_own_actor_only() {
        let mut book = Book::default();
        for (number, request_id) in [(1, "first"), (2, "second")] {
            let request_id = request_id.to_owned();
            book.note_sent(Sent { actor: AIRLINE, call: commit("O-1"), request_id, bytes: vec![], number });
        }
        assert_eq!(book.sent(AIRLINE, &commit("O-1")).unwrap().request_id, "second");
        assert!(book.sent(MARKET, &commit("O-1")).is_err());
        assert!(book.sent(AIRLINE, &commit("O-2")).is_err());
    }
}
