//! Pointbridge: the Rust client.
//!
//! It opens one HTTP/2 connection to the hub over mutual TLS 1.3 and hands out the API's generated services on it.
//! Refusals are read into one type, [`Refusal`], with the stable reason by which a program decides. What is absent:
//! retries, pooling and caching. A call that failed without a refusal may be made again with the same
//! [`request_id`], and then tells what happened.
//!
//! ```no_run
//! use std::path::PathBuf;
//!
//! use pointbridge_client::{Client, Config, Refusal, v1};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(&Config {
//!     endpoint: "https://127.0.0.1:7443".to_owned(),
//!     ca_pem: PathBuf::from("pki/ca.pem"),
//!     certificate_pem: PathBuf::from("pki/partner.airline.partner.till-7.pem"),
//!     key_pem: PathBuf::from("pki/partner.airline.partner.till-7.key"),
//!     server_name: None,
//! })
//! .await?;
//! let request = v1::GetPartnerRequest { code: "airline".to_owned() };
//! let partner = match client.partners().get_partner(request).await {
//!     Ok(answer) => answer.into_inner().partner,
//!     Err(status) if Refusal::from(&status).is("PARTNER_NOT_FOUND") => None,
//!     Err(status) => return Err(Refusal::from(&status).into()),
//! };
//! # drop(partner);
//! # Ok(())
//! # }
//! ```

mod client;
mod config;
mod connector;
mod refusal;

pub use client::Client;
pub use config::{Config, ConnectError};
pub use pointbridge_proto::v1;
pub use refusal::{Refusal, Violation};

/// A fresh request id: a random UUID (version 4), as every mutating request carries one. Keep it until the call is
/// answered: the same id and body, sent again, is done once and answered alike.
#[must_use]
pub fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_random_uuids() {
        let (one, two) = (request_id(), request_id());
        assert_ne!(one, two);
        let parsed = uuid::Uuid::parse_str(&one).unwrap();
        assert_eq!(parsed.get_version_num(), 4);
        assert_eq!(parsed.hyphenated().to_string(), one);
    }
}
