//! The pages of `deploy/` as a new operator follows them: the walk from nothing to two partners, and the care of certificates.
//!
//! A block that no test runs says why, and a test holds that. Absent: the change of an authority, which `pki`'s tests run line by
//! line with a look at each state between.

use super::tour::{Walk, page, reason_not_run};

const README: &str = "deploy/README.md";
const CERTIFICATES: &str = "deploy/CERTIFICATES.md";

/// Sections whose commands are run: here, and the last one in `pki`.
const RUN: [(&str, &str); 4] = [
    (README, "## From nothing to two partners"),
    (CERTIFICATES, "## The CA that comes with the hub"),
    (CERTIFICATES, "## A CA that you have"),
    (CERTIFICATES, "## Change the CA"),
];

/// A hub with a partner's certificate.
const A_HUB: &str = "pointbridge bootstrap --data hub --trust-domain alliance.example --operator wang
pointbridge pki partner --dir hub/pki --code airline --subject till-7 >/dev/null";

/// A hub, and the certificate and list of somebody else's authority.
const ANOTHER_AUTHORITY: &str =
    "pointbridge bootstrap --data hub --trust-domain alliance.example --operator wang
pointbridge pki init --dir theirs --trust-domain alliance.example
cp theirs/ca.pem their-ca.pem
cp theirs/crl.pem their-crl.pem";

#[tokio::test]
async fn a_new_operator_gets_from_nothing_to_two_partners_by_the_page_as_it_stands() {
    let [(page, section), ..] = RUN;
    Walk { page, section, before: "true", blocks_min: 10 }.hold().await;
}

#[tokio::test]
async fn certificates_are_looked_after_as_the_page_says() {
    let [_, (page, section), ..] = RUN;
    Walk { page, section, before: A_HUB, blocks_min: 1 }.hold().await;
}

#[tokio::test]
async fn another_authority_is_taken_and_taken_out_as_the_page_says() {
    let [_, _, (page, section), _] = RUN;
    Walk { page, section, before: ANOTHER_AUTHORITY, blocks_min: 1 }.hold().await;
}

/// Blocks of commands of a page that are neither run nor say why not, by the section that they stand in.
fn neither_run_nor_explained(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut section, mut inside) = ("", false);
    for line in text.lines() {
        if let Some(fence) = line.strip_prefix("```") {
            let is_run = RUN.contains(&(name, section));
            if !inside && fence.starts_with("sh") && !is_run && reason_not_run(fence).is_none() {
                found.push(format!("{name}: {section}"));
            }
            inside = !inside;
        } else if !inside && line.starts_with("## ") {
            section = line;
        }
    }
    found
}

#[test]
fn every_block_of_commands_is_run_or_says_why_not() {
    for name in [README, CERTIFICATES] {
        assert_eq!(neither_run_nor_explained(name, &page(name)), Vec::<String>::new());
    }
}

#[test]
fn a_block_that_nobody_runs_is_found() {
    let text = "## A\n```sh\na\n```\n## From nothing to two partners\n```sh\n## B\n```\n```sh not run: why\n```\n```toml\n```\n";
    assert_eq!(neither_run_nor_explained(README, text), ["deploy/README.md: ## A"]);
}
