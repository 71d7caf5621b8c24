//! People: memberships are one member's exactly where merges joined them.
//!
//! Member ids stand in no record. What records prove is which memberships share one: those that merges join, and no
//! others. Among memberships that should share an id and do not, most of them are believed, and of two the one that the
//! other was joined to. No member id ever stands in a finding.
//!
//! Kept: per membership its member id, per merged one the membership that it was joined to.

use std::collections::BTreeMap;

use crate::invariant::Invariant;
use crate::names::Name;
use crate::records::Records;
use crate::report::Findings;

/// The memberships of everybody.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// Upwards to the membership that stands for all that were joined; what is absent stands for itself.
    joined_to: BTreeMap<Name, Name>,
    /// The stored member id of each membership.
    members: BTreeMap<Name, Name>,
}

/// Memberships that are one person by the records.
#[derive(Debug, Default)]
struct Person<'a> {
    /// How many of them have each member id.
    counts: BTreeMap<&'a Name, usize>,
    memberships: usize,
}

impl People {
    /// The first membership's person is the second one's.
    pub(crate) fn merge(&mut self, membership: Name, linked: &Name) {
        let (joins, stays) = (self.head(&membership).clone(), self.head(linked).clone());
        if joins != stays {
            self.joined_to.insert(joins, stays.clone());
        }
        // A short way up for the next that asks.
        if membership != stays {
            self.joined_to.insert(membership, stays);
        }
    }

    pub(crate) fn row(&mut self, membership: Name, member: Name) {
        self.members.insert(membership, member);
    }

    fn head<'a>(&'a self, membership: &'a Name) -> &'a Name {
        let mut head = membership;
        while let Some(next) = self.joined_to.get(head) {
            head = next;
        }
        head
    }

    /// Judges every stored membership, where all merges can be read.
    pub(crate) fn finish(&self, records: &Records, findings: &mut Findings) {
        if records.have_gap(&["MEMBERS_MERGED"]) {
            return;
        }
        let mut people: BTreeMap<&Name, Person<'_>> = BTreeMap::new();
        let mut users: BTreeMap<&Name, usize> = BTreeMap::new();
        for (membership, member) in &self.members {
            let person = people.entry(self.head(membership)).or_default();
            *person.counts.entry(member).or_default() += 1;
            person.memberships += 1;
            *users.entry(member).or_default() += 1;
        }
        let members: BTreeMap<&Name, &Name> = people
            .iter()
            .filter_map(|(head, person)| Some((*head, person.member(self.members.get(*head), &users)?)))
            .collect();
        for (membership, member) in &self.members {
            findings.checked(Invariant::MemberMerges);
            if members.get(self.head(membership)) != Some(&member) {
                let row = format!("membership {membership}");
                let expected = "the member of those that it was merged with";
                findings.add(Invariant::MemberMerges, row, expected, "another member");
            }
        }
        judge_shared(&people, &members, findings);
    }
}

impl<'a> Person<'a> {
    /// The member id of a person: that of most memberships, then one that nobody else uses, then the head's.
    fn member(&self, of_head: Option<&Name>, users: &BTreeMap<&Name, usize>) -> Option<&'a Name> {
        let rank = |member: &Name, count: usize| {
            let elsewhere = users.get(member).copied().unwrap_or_default().saturating_sub(count);
            (count, std::cmp::Reverse(elsewhere), of_head == Some(member))
        };
        let best = self.counts.iter().max_by_key(|(member, count)| rank(member, **count));
        best.map(|(member, _)| *member)
    }
}

/// Reports people who share a member id and were never merged: the one of fewer memberships, the later by id.
fn judge_shared(
    people: &BTreeMap<&Name, Person<'_>>,
    members: &BTreeMap<&Name, &Name>,
    findings: &mut Findings,
) {
    let size = |head: &Name| people.get(head).map_or(0, |person| person.memberships);
    let mut holders: BTreeMap<&Name, &Name> = BTreeMap::new();
    for (head, member) in members {
        let Some(other) = holders.get(member).copied() else {
            holders.insert(member, head);
            continue;
        };
        let (keeps, loses) = if size(head) > size(other) { (*head, other) } else { (other, *head) };
        holders.insert(member, keeps);
        let found = format!("the member of {keeps}");
        findings.add(Invariant::MemberMerges, format!("membership {loses}"), "a member of its own", found);
    }
}
