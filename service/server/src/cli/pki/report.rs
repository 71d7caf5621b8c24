//! What `pointbridge pki` answers: what was done, where it lies, and what to do next.
//!
//! Absent: any part of a private key. Tables fit 80 columns; lines for people are short sentences.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::out;
use crate::pki::{
    CRL_PEM, Finding, Imported, Inspection, Issued, Kind, Moment, Removed, Renewal, Revocation,
    RevocationList, Rotated,
};

/// Digits of a fingerprint that name an authority among a few.
const FINGERPRINT_SHOWN: usize = 16;
/// Characters of a moment that are its date.
const DATE: usize = 10;

pub(super) fn issued(issued: &Issued) {
    let mut table = out::table(["what", "file"]);
    table.add_row(["certificate", &issued.certificate_pem.display().to_string()]);
    table.add_row(["private key", &issued.key_pem.display().to_string()]);
    table.add_row(["CA", &issued.ca_pem.display().to_string()]);
    out::line(table);
}

pub(super) fn renewed(renewals: &[Renewal]) {
    if renewals.is_empty() {
        out::line(
            "nothing was renewed: none in the folder is due; one that lies elsewhere is renewed by its file",
        );
        return;
    }
    let mut table = out::table(["renewed", "ends", "certificate; its key lies beside it"]);
    for Renewal { name, issued } in renewals {
        let file = issued.certificate_pem.display().to_string();
        table.add_row([name.clone(), date(issued.not_after), file]);
    }
    out::line(table);
    if let Some(first) = renewals.first() {
        out::line(format_args!("clients know the hub by {}", first.issued.ca_pem.display()));
    }
}

pub(super) fn revoked(done: &Revocation) {
    let mut table = out::table(["certificate of", "serial number", "state"]);
    let states = [(&done.revoked, "revoked"), (&done.before, "was revoked before")];
    for (known, state) in states.iter().flat_map(|(all, state)| all.iter().map(move |one| (one, *state))) {
        table.add_row([known.name.as_str(), &known.serial, state]);
    }
    out::line(table);
    crl_is_read(&done.crl_pem, done.is_new);
}

pub(super) fn crl_signed(signed: &[RevocationList], folder: &Path) {
    for list in signed {
        let end = list.next_update.map(date).unwrap_or_default();
        let number = list.number.as_deref().unwrap_or("?");
        out::line(format_args!(
            "list {number} of {} is good until {end}; {} revoked",
            list.issuer,
            list.revoked.len()
        ));
    }
    if signed.is_empty() {
        out::line("no CA of this folder is among those that the hub takes: there is nothing to sign");
    }
    crl_is_read(&folder.join(CRL_PEM), false);
}

pub(super) fn lists(lists: &[RevocationList], folder: &Path) {
    if lists.is_empty() {
        let file = folder.join(CRL_PEM);
        out::line(format_args!(
            "there is no revocation list {}: `pointbridge pki crl` makes it",
            file.display()
        ));
    }
    for list in lists {
        let number = list.number.as_deref().unwrap_or("without a number");
        let end = list.next_update.map_or_else(|| "it names no end".to_owned(), ends);
        out::line(format_args!("{}: list {number} of {}, ends {end}", list.issuer, date(list.this_update)));
        let mut table = out::table(["serial number", "revoked", "why"]);
        for entry in &list.revoked {
            table.add_row([entry.serial.clone(), date(entry.at), entry.reason.to_string()]);
        }
        if list.revoked.is_empty() {
            out::line("nothing is revoked");
        } else {
            out::line(table);
        }
    }
}

pub(super) fn lists_as_json(lists: &[RevocationList]) -> Value {
    let entry = |list: &RevocationList| {
        let revoked = list.revoked.iter();
        let revoked = revoked.map(|one| json!({"serial": one.serial, "at": one.at, "reason": one.reason}));
        json!({
            "issuer": list.issuer,
            "number": list.number,
            "this_update": list.this_update,
            "next_update": list.next_update,
            "revoked": revoked.collect::<Vec<_>>(),
        })
    };
    lists.iter().map(entry).collect()
}

pub(super) fn imported(imported: &Imported) {
    for ca in &imported.authorities {
        let short = shortened(&ca.fingerprint);
        out::line(format_args!(
            "client certificates by {} ({short}) are taken until {}",
            ca.subject,
            date(ca.not_after)
        ));
    }
    if !imported.authorities.is_empty() {
        out::line(
            "whoever has its key can sign for every name of the trust domain, operators, auditors and any partner's code \
             among them: `pointbridge pki remove` takes it away again",
        );
    }
    for list in &imported.lists {
        let end = list.next_update.map(date).unwrap_or_default();
        out::line(format_args!("its revocation list is good until {end}; {} revoked", list.revoked.len()));
    }
    for ca in &imported.without_list {
        out::line(format_args!(
            "there is no revocation list of it: import one with --crl, or name its fingerprint in the hub's \
             configuration:\n  allow_ca_without_crl = [\"{}\"]",
            ca.fingerprint
        ));
    }
    if imported.is_new {
        let file = imported.client_ca_pem.display();
        out::line(format_args!("{file} is new: start the hub anew once, so that it reads it"));
    } else {
        out::line("a hub that runs on this folder takes it within seconds");
    }
}

pub(super) fn removed(removed: &Removed, folder: &Path) {
    let ca = &removed.authority;
    out::line(format_args!(
        "client certificates by {} ({}) are taken no longer",
        ca.subject,
        shortened(&ca.fingerprint)
    ));
    if let Some(key) = &removed.deleted_key {
        out::line(format_args!("its key {} is deleted", key.display()));
    }
    out::line(format_args!("a hub that runs on {} takes it within seconds", folder.display()));
}

pub(super) fn rotated(rotated: &Rotated, folder: &Path) {
    let (new, old) = (&rotated.new, &rotated.old);
    out::line(format_args!("{} ({}) signs from now on", new.subject, shortened(&new.fingerprint)));
    out::line(format_args!("{} ({}) is taken until you remove it", old.subject, shortened(&old.fingerprint)));
    let dir = folder.display();
    out::line(format_args!(
        "next:\n  \
         1. pointbridge pki renew --dir {dir} --all --only client\n  \
         2. give each partner its new certificate and key, and {}\n  \
         3. when all have them: pointbridge pki renew --dir {dir} --all --only server\n  \
         4. pointbridge pki remove --dir {dir} {}",
        rotated.hub_ca_pem.display(),
        shortened(&old.fingerprint)
    ));
}

/// One line for each finding of a folder; everything about the findings of a file.
pub(super) fn inspected(inspection: &Inspection, is_folder: bool) {
    if !is_folder {
        for finding in &inspection.findings {
            out::line(in_full(finding));
        }
        return;
    }
    let mut table = out::table(["file", "what", "ends", "key", "the hub says"]);
    for finding in &inspection.findings {
        let file = finding.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let key = finding.key_file.as_ref().map_or_else(String::new, |key| key.mode.clone());
        let end = end_of(finding);
        table.add_row([file, finding.kind.as_str().to_owned(), end, key, verdict(finding)]);
    }
    out::line(table);
}

fn in_full(finding: &Finding) -> comfy_table::Table {
    let mut table = out::table(["what", &format!("{} in {}", finding.kind.as_str(), finding.file.display())]);
    let number = if finding.kind == Kind::Crl { "list number" } else { "serial number" };
    let moment = |moment: Option<Moment>| moment.map(|moment| moment.to_string());
    let end = finding.not_after.map(|end| format!("{end} ({})", left(finding)));
    let key_file = finding.key_file.as_ref().map(|key| {
        let whose = match key.is_its_key {
            Some(true) => ", its key",
            Some(false) => ", ANOTHER key",
            None => "",
        };
        format!("{} (mode {}{whose})", key.path.display(), key.mode)
    });
    let rows = [
        ("name", Some(finding.name.clone()).filter(|name| !name.is_empty())),
        (number, finding.serial.clone()),
        ("SHA-256", finding.fingerprint.clone()),
        ("issuer", finding.issuer.clone()),
        ("begins", moment(finding.not_before)),
        ("ends", end),
        ("key", finding.key.clone()),
        ("key file", key_file),
        ("revoked", finding.revoked.clone()),
        ("the hub says", Some(verdict(finding))),
    ];
    for (name, value) in rows {
        if let Some(value) = value {
            table.add_row([name, &value]);
        }
    }
    table
}

fn verdict(finding: &Finding) -> String {
    if finding.verdict.is_taken {
        finding.verdict.says.clone()
    } else {
        format!("REFUSED: {}", finding.verdict.says)
    }
}

fn end_of(finding: &Finding) -> String {
    finding.not_after.map_or_else(String::new, |end| format!("{} ({})", date(end), left(finding)))
}

fn left(finding: &Finding) -> String {
    let advice = if finding.is_ending { ": renew" } else { "" };
    match finding.days_left {
        Some(days) if days < 0 => "over".to_owned(),
        Some(days) => format!("{days} d{advice}"),
        None => String::new(),
    }
}

fn ends(end: Moment) -> String {
    let days = Moment::now().map(|now| end.days_after(now)).unwrap_or_default();
    if days < 0 { format!("{} (over)", date(end)) } else { format!("{} ({days} d)", date(end)) }
}

fn date(moment: Moment) -> String {
    moment.to_string().chars().take(DATE).collect()
}

fn shortened(fingerprint: &str) -> &str {
    fingerprint.get(..FINGERPRINT_SHOWN).unwrap_or(fingerprint)
}

fn crl_is_read(file: &Path, is_new: bool) {
    if is_new {
        out::line(format_args!("{} is new: start the hub anew once, so that it reads it", file.display()));
    } else {
        out::line(format_args!("{} is written: a hub that runs takes it within seconds", file.display()));
    }
}
