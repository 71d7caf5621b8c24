//! One connection to the hub, and the API's services on it.
//!
//! The connection is opened when the client is made and opened again by itself when it breaks. All services share it,
//! and a copy of the client shares it too.

use std::error::Error;
use std::time::Duration;

use pointbridge_proto::v1::agreement_service_client::AgreementServiceClient;
use pointbridge_proto::v1::approval_service_client::ApprovalServiceClient;
use pointbridge_proto::v1::exchange_service_client::ExchangeServiceClient;
use pointbridge_proto::v1::ledger_service_client::LedgerServiceClient;
use pointbridge_proto::v1::member_service_client::MemberServiceClient;
use pointbridge_proto::v1::partner_service_client::PartnerServiceClient;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::config::{Config, ConnectError};
use crate::connector::Connector;

/// How long opening a connection may take, the TLS handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often an idle connection is tried, and how long the answer may take: a dead one is found within 40 s.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A client of the hub, acting as the principal that its certificate names.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
}

impl Client {
    /// Reads the files of the configuration and connects.
    ///
    /// With TLS 1.3 a client finishes its handshake before the server has looked at its certificate, so a refused
    /// certificate shows at the first call and not here.
    ///
    /// # Errors
    /// The configuration is malformed, a file cannot be used, or the hub cannot be reached or is not the one that
    /// the authority vouches for.
    pub async fn connect(config: &Config) -> Result<Self, ConnectError> {
        let target = config.target()?;
        let connector = Connector::new(&target);
        let endpoint = Endpoint::from(target.uri)
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true);
        let channel = endpoint
            .connect_with_connector(service_fn(move |_| connector.clone().open()))
            .await
            .map_err(|error| ConnectError::Unreachable {
                endpoint: config.endpoint.clone(),
                reason: innermost(&error),
            })?;
        Ok(Self { channel })
    }

    /// The connection itself, for services beyond the API such as health and reflection.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Partners and programs.
    #[must_use]
    pub fn partners(&self) -> PartnerServiceClient<Channel> {
        PartnerServiceClient::new(self.channel())
    }

    /// Agreements between partners.
    #[must_use]
    pub fn agreements(&self) -> AgreementServiceClient<Channel> {
        AgreementServiceClient::new(self.channel())
    }

    /// What needs two people.
    #[must_use]
    pub fn approvals(&self) -> ApprovalServiceClient<Channel> {
        ApprovalServiceClient::new(self.channel())
    }

    /// Memberships, links between them, and consents.
    #[must_use]
    pub fn members(&self) -> MemberServiceClient<Channel> {
        MemberServiceClient::new(self.channel())
    }

    /// Balances, postings and lots of hosted points.
    #[must_use]
    pub fn ledger(&self) -> LedgerServiceClient<Channel> {
        LedgerServiceClient::new(self.channel())
    }

    /// Exchanges of points, in two phases.
    #[must_use]
    pub fn exchanges(&self) -> ExchangeServiceClient<Channel> {
        ExchangeServiceClient::new(self.channel())
    }
}

/// The cause at the bottom: the layers above it only say that something below failed.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
