//! What texts of the configuration name: files, fingerprints, addresses, one of a few words.
//!
//! Absent: what stands in the files; the transport reads them.

use std::collections::BTreeSet;

use crate::tls::{CrlFile, Fingerprint, ServerFiles};

/// One of the words of a list.
pub(crate) fn choice<T: clap::ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| {
        let words = T::value_variants().iter().filter_map(T::to_possible_value);
        let words: Vec<String> = words.map(|word| word.get_name().to_owned()).collect();
        format!("write {}", words.join(" or "))
    })
}

/// Files that are named and not there.
pub(super) fn missing_files(tls: &ServerFiles) -> Vec<String> {
    let named = match &tls.client_crl {
        CrlFile::Named(path) => Some(("client_crl", path)),
        CrlFile::IfThere(_) => None,
    };
    [("certificate", &tls.certificate_pem), ("key", &tls.key_pem), ("client_ca", &tls.client_ca_pem)]
        .into_iter()
        .chain(named)
        .filter(|(_, file)| !file.is_file())
        .map(|(key, file)| {
            let file = file.display();
            format!(
                "{key}: there is no file {file}: name another one, or run `pointbridge bootstrap` to make it"
            )
        })
        .collect()
}

/// Whether a text is `http://`, a host and a port, and nothing more: no name or password, no path.
pub(super) fn is_plain_address(text: &str) -> bool {
    let authority = text.strip_prefix("http://").and_then(|rest| rest.parse::<http::uri::Authority>().ok());
    authority.is_some_and(|one| one.port().is_some() && !one.host().is_empty() && !one.as_str().contains('@'))
}

/// Reads the fingerprints of authorities that may be without a list, as `sha256sum`, browsers and OpenSSL print them.
pub(super) fn exempt(texts: &[String], mistakes: &mut Vec<String>) -> BTreeSet<Fingerprint> {
    let mut found = BTreeSet::new();
    for text in texts {
        let digits = text.replace(':', "").to_ascii_lowercase();
        match data_encoding::HEXLOWER.decode(digits.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok()) {
            Some(fingerprint) => drop(found.insert(fingerprint)),
            None => mistakes.push(format!(
                "allow_ca_without_crl: {text:?} is no SHA-256 fingerprint: write the 64 hex digits of the CA's certificate"
            )),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_a_host_and_a_port_without_tls() {
        for good in ["http://127.0.0.1:4317", "http://[::1]:4317", "http://collector:4317"] {
            assert!(is_plain_address(good), "{good}");
        }
        for bad in ["https://a:1", "a:1", "http://a", "http://a:1/", "http://u:p@a:1", "http://:1", ""] {
            assert!(!is_plain_address(bad), "{bad}");
        }
    }
}
