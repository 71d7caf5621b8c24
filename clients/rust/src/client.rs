//! One connection to the hub, and the API's services on it.
//!
//! The connection is opened when the client is made and opened again by itself when it breaks. All services share it,
//! and a copy of the client shares it too. What is done for a call beyond sending it is in `line`; lists are in `items`.

use std::time::Duration;

use pointbridge_proto::v1::agreement_service_client::AgreementServiceClient;
use pointbridge_proto::v1::approval_service_client::ApprovalServiceClient;
use pointbridge_proto::v1::exchange_service_client::ExchangeServiceClient;
use pointbridge_proto::v1::ledger_service_client::LedgerServiceClient;
use pointbridge_proto::v1::member_service_client::MemberServiceClient;
use pointbridge_proto::v1::partner_service_client::PartnerServiceClient;
use tonic::transport::Channel;

use crate::config::{Config, ConnectError};
use crate::connection::Connection;
use crate::line::{Help, Line};

/// A client of the hub, acting as the principal that its certificate names.
///
/// Cheap to copy; copies share one connection, and calls may be made on all of them at once.
#[derive(Debug, Clone)]
pub struct Client {
    line: Line,
}

impl Client {
    /// Reads the files of the configuration and connects.
    ///
    /// Calls have a deadline of 10 s unless they say otherwise, get a request id where they have none, and are sent again
    /// where that is safe and helps. When the files change, calls go to a new connection.
    ///
    /// With TLS 1.3 a client finishes its handshake before the server has looked at its certificate, so a refused
    /// certificate shows at the first call and not here.
    ///
    /// # Errors
    /// The configuration is malformed, a file cannot be used, or the hub cannot be reached or is not the one that
    /// the authority vouches for.
    pub async fn connect(config: &Config) -> Result<Self, ConnectError> {
        Ok(Self { line: Line::new(Connection::open(config).await?, Help::Given(None)) })
    }

    /// As [`connect`](Self::connect), for a client that sends each call once and as it is: without a deadline, a request id or
    /// a second attempt, and on one connection whatever becomes of the files. For measuring a hub and for testing one.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect).
    pub async fn bare(config: &Config) -> Result<Self, ConnectError> {
        Ok(Self { line: Line::new(Connection::open(config).await?, Help::Refused) })
    }

    /// A copy whose calls, all attempts together, may take so long where they have no deadline of their own; the hub
    /// ends them after 10 s in any case. A single call's is set by `tonic::Request::set_timeout`.
    ///
    /// A copy of a [`bare`](Self::bare) client is no longer bare.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { line: self.line.with(Help::Given(Some(deadline))) }
    }

    /// The connection as it is now, for services beyond the API such as health and reflection. It is a bare one, and stays
    /// the same when the files change.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.line.connection().present()
    }

    /// Partners and programs.
    #[must_use]
    pub fn partners(&self) -> PartnerServiceClient<Line> {
        PartnerServiceClient::new(self.line.clone())
    }

    /// Agreements between partners.
    #[must_use]
    pub fn agreements(&self) -> AgreementServiceClient<Line> {
        AgreementServiceClient::new(self.line.clone())
    }

    /// What needs two people.
    #[must_use]
    pub fn approvals(&self) -> ApprovalServiceClient<Line> {
        ApprovalServiceClient::new(self.line.clone())
    }

    /// Memberships, links between them, and consents.
    #[must_use]
    pub fn members(&self) -> MemberServiceClient<Line> {
        MemberServiceClient::new(self.line.clone())
    }

    /// Balances, postings and lots of hosted points.
    #[must_use]
    pub fn ledger(&self) -> LedgerServiceClient<Line> {
        LedgerServiceClient::new(self.line.clone())
    }

    /// Exchanges of points, in two phases.
    #[must_use]
    pub fn exchanges(&self) -> ExchangeServiceClient<Line> {
        ExchangeServiceClient::new(self.line.clone())
    }
}
