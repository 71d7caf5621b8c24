//! Lines for a shell that ask the kept hub, with real files and ids in them.
//!
//! grpcurl finds the methods by the hub's own reflection, so that no .proto file is named. What is absent: lines that
//! write.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;

use super::book::{Book, Kind};
use super::child::{HubProcess, Identity};
use super::scenario::{AIRLINE, LI_MILES, LI_POINTS, MARKET};
use super::script::Actor;

/// How to stop the hub that goes on running, and how to ask it, as far as the scenario came.
///
/// # Errors
/// The hub has ended, or a certificate is missing.
pub(super) fn lines(hub: &HubProcess, book: &Book, data: &Path) -> anyhow::Result<String> {
    let pid = hub.pid().context("the hub has ended")?;
    let mut text = format!(
        "\nThe hub goes on at {} as process {pid}, with its data in {}.\nStop it: kill {pid}\nAsk it:\n",
        hub.address,
        data.display()
    );
    for question in questions(book) {
        let Question { what, actor, body, method } = question;
        let line = line(&hub.identity(actor)?, body.as_deref(), &hub.address, method);
        write!(text, "\n# {what}\n{line}\n")?;
    }
    Ok(text)
}

/// Something to ask.
struct Question {
    what: &'static str,
    actor: Actor,
    body: Option<String>,
    method: &'static str,
}

fn questions(book: &Book) -> Vec<Question> {
    let mut questions = vec![
        Question { what: "the services of the hub", actor: AIRLINE, body: None, method: "list" },
        Question {
            what: "what can be asked about exchanges",
            actor: AIRLINE,
            body: None,
            method: "describe pointbridge.v1.ExchangeService",
        },
        Question {
            what: "two committed exchanges, newest first",
            actor: AIRLINE,
            body: Some(r#"{"state": "EXCHANGE_STATE_COMMITTED", "page_size": 2}"#.to_owned()),
            method: "pointbridge.v1.ExchangeService/ListExchanges",
        },
    ];
    let ids = [LI_MILES, LI_POINTS].map(|name| book.find(Kind::Membership, name));
    if let [Ok(miles), Ok(points)] = ids {
        questions.push(Question {
            what: "Li's miles, asked by the airline",
            actor: AIRLINE,
            body: Some(format!(r#"{{"membership_id": "{miles}"}}"#)),
            method: "pointbridge.v1.LedgerService/GetBalance",
        });
        questions.push(Question {
            what: "what 300 of Li's points would become, asked by the supermarket",
            actor: MARKET,
            body: Some(format!(
                r#"{{"source_membership_id": "{points}", "destination_membership_id": "{miles}", "source_points": "300"}}"#
            )),
            method: "pointbridge.v1.ExchangeService/QuoteExchange",
        });
    }
    questions
}

fn line(identity: &Identity, body: Option<&str>, address: &str, method: &str) -> String {
    let body = body.map(|body| format!(" \\\n  -d {}", quoted(body))).unwrap_or_default();
    // Short lines, joined for the shell: a terminal that wraps a long one may break it when it is copied.
    format!(
        "grpcurl -cacert {} \\\n  -cert {} \\\n  -key {}{body} \\\n  {address} {method}",
        quoted(&identity.authority.display().to_string()),
        quoted(&identity.certificate.display().to_string()),
        quoted(&identity.key.display().to_string()),
    )
}

/// One word for a POSIX shell.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-');
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        let words = ["/data/ca.pem", "a folder/ca.pem", r#"{"it's": "$HOME"}"#, "", "back\\slash `x`"];
        for word in words {
            let script = format!("printf %s {}", quoted(word));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word, "{script}");
        }
    }

    #[test]
    fn a_line_has_files_body_address_and_method() {
        let identity =
            Identity { authority: "ca.pem".into(), certificate: "me.pem".into(), key: "me.key".into() };
        assert_eq!(
            line(&identity, Some("{}"), "127.0.0.1:7443", "A/B"),
            "grpcurl -cacert ca.pem \\\n  -cert me.pem \\\n  -key me.key \\\n  -d '{}' \\\n  127.0.0.1:7443 A/B"
        );
    }
}
