//! Who may call what, on which object: the table of rights as people review it, and a walk that tries all of it.
//!
//! The walk asks the real program over mutual TLS: every method that its descriptors name × every kind of principal ×
//! the objects of one partner, of another that has nothing to do with it, and objects that do not exist. What comes
//! back stands in a golden file, so that a change of anybody's rights shows as a line in review; and it is held against
//! what the table of rights states. A refusal of another's object must be that of a missing one, to the byte.

mod cast;
mod cells;
mod claims;
pub(crate) mod recipes;
pub(crate) mod stage;
mod statements;

use std::collections::BTreeSet;
use std::fmt::Write;

use pointbridge::authz::{Effect, People, Reach, Row, TABLE, WhenSuspended};
use pointbridge::peer::Role;
use prost::Message;
use prost_types::{FileDescriptorSet, MethodDescriptorProto};

use crate::golden;

/// What the descriptors say of a method.
#[derive(Clone)]
pub(crate) struct Method {
    pub(crate) path: String,
    pub(crate) descriptor: MethodDescriptorProto,
}

/// Every method that the hub serves, of the descriptors that it is made from.
pub(crate) fn methods() -> Vec<Method> {
    let sets = [
        pointbridge_proto::FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    let mut methods = Vec::new();
    for file in sets.into_iter().flat_map(|set| FileDescriptorSet::decode(set).unwrap().file) {
        for service in &file.service {
            methods.extend(service.method.iter().map(|method| Method {
                path: format!("/{}.{}/{}", file.package(), service.name(), method.name()),
                descriptor: method.clone(),
            }));
        }
    }
    assert!(methods.len() > 30, "the descriptors name {} methods only", methods.len());
    methods
}

/// The row of a method.
fn row(path: &str) -> &'static Row {
    TABLE.iter().find(|row| row.method == path).unwrap_or_else(|| panic!("{path} has no row of rights"))
}

fn line(row: &Row) -> String {
    let roles = [Role::Operator, Role::Partner, Role::Finance, Role::Auditor];
    let roles = roles.map(|role| if row.roles.contains(&role) { role.as_str() } else { "-" });
    let effect = match row.effect {
        Effect::Read => "reads",
        Effect::Write => "writes",
    };
    let reach = match row.reach {
        Reach::Unstated => panic!("{}: say in brackets whose objects it reaches", row.method),
        Reach::Nobodys => "nobody's",
        Reach::Anybodys => "anybody's",
        Reach::Own => "own",
        Reach::Shared => "own, shared",
    };
    let people = match row.people {
        People::One => "one",
        People::Two => "two",
        People::TwoOfOperator => "two of operator",
    };
    let suspended = match row.when_suspended {
        _ if !row.roles.contains(&Role::Partner) && !row.roles.contains(&Role::Finance) => "-",
        WhenSuspended::Served => "served",
        WhenSuspended::Refused => "refused",
    };
    let [operator, partner, finance, auditor] = roles;
    format!(
        "{:<62} {operator:<8} {partner:<7} {finance:<7} {auditor:<7} | {effect:<6} | {reach:<11} | {people:<15} | {suspended}",
        row.method
    )
}

#[test]
fn the_table_of_rights_is_the_one_that_was_reviewed() {
    let mut text =
        "Who may call what: roles | effect | whose objects | people it takes | a suspended partner is\n\n"
            .to_owned();
    for row in TABLE {
        writeln!(text, "{}", line(row)).unwrap();
    }
    golden::hold("rights.txt", &text);
}

#[test]
fn the_table_of_rights_has_the_methods_of_the_descriptors_and_no_other() {
    let methods = methods();
    let described: BTreeSet<&str> = methods.iter().map(|method| method.path.as_str()).collect();
    let rows: BTreeSet<&str> = TABLE.iter().map(|row| row.method).collect();
    assert_eq!(rows, described);
    for method in &methods {
        let waits = answers_with_an_approval(&method.descriptor);
        let says = row(&method.path).people != People::One;
        assert_eq!(says, waits, "{}: whether it takes two people, and may answer so", method.path);
    }
}

/// Whether the answer has room for saying that a second person is waited for.
fn answers_with_an_approval(method: &MethodDescriptorProto) -> bool {
    let set = FileDescriptorSet::decode(pointbridge_proto::FILE_DESCRIPTOR_SET).unwrap();
    let answer = method.output_type().trim_start_matches(".pointbridge.v1.");
    let messages = set.file.iter().flat_map(|file| &file.message_type);
    let mut fields = messages.filter(|message| message.name() == answer).flat_map(|message| &message.field);
    let acts_on_approvals = ["Approve", "Reject", "ListApprovals"].contains(&method.name());
    !acts_on_approvals && fields.any(|field| field.type_name() == ".pointbridge.v1.Approval")
}

#[tokio::test]
async fn every_method_answers_every_principal_on_every_object_as_it_was_reviewed() {
    let mut stage = stage::Stage::open().await;
    let mut walked = cells::walk(&mut stage, &cast::KINDS).await;
    stage.suspend("market").await;
    walked.extend(cells::walk(&mut stage, &cast::WHEN_SUSPENDED).await);
    claims::hold(&walked);
    stage.settle().await;
    golden::hold("walk.txt", &cells::golden(&walked));
}
