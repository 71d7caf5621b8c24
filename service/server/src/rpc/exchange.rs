//! ExchangeService.

use pointbridge_core::ids::ExchangeId;
use pointbridge_core::quote::{self, End, Ends, QuoteInputs, QuoteRequest, Quoted};
use pointbridge_core::rejection::Reason;
use pointbridge_proto::v1;
use pointbridge_proto::v1::exchange_service_server::ExchangeService;
use pointbridge_store::{EndView, QuoteView, Store};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{Services, found, not_found, page_of, parsed, read};
use crate::authz::caller_of;
use crate::hub::scope;
use crate::status;
use crate::wire::page::page;
use crate::wire::{exchange as wire, id};

#[tonic::async_trait]
impl<S: Store> ExchangeService for Services<S> {
    async fn quote_exchange(
        &self,
        request: Request<v1::QuoteExchangeRequest>,
    ) -> Result<Response<v1::QuoteExchangeResponse>, Status> {
        let (scope, caller) = (scope(&request)?, caller_of(&request)?);
        let (source, destination, asked) = parsed(wire::quote(&request.into_inner()))?;
        let view = read(self.hub.store.quote(&scope, source, destination).await)?;
        let quoted = decide(&view, asked)?;
        let claims = quote::claims(&caller, &quoted, ExchangeId::new(Uuid::now_v7()), view.epoch);
        let sealed = claims.map(|claims| self.hub.keys.seal_quote(&claims.to_bytes()));
        let Some(Ok(token)) = sealed else { return Err(status::of_fault("the quote could not be sealed")) };
        Ok(Response::new(v1::QuoteExchangeResponse { quote: Some(wire::quoted(&quoted, token)) }))
    }

    async fn prepare_exchange(
        &self,
        request: Request<v1::PrepareExchangeRequest>,
    ) -> Result<Response<v1::PrepareExchangeResponse>, Status> {
        let keys = &self.hub.keys;
        let record = self.hub.write(request, |request| wire::prepare(request, keys)).await?;
        Ok(Response::new(v1::PrepareExchangeResponse { exchange: Some(wire::of_record(&record)?) }))
    }

    async fn commit_exchange(
        &self,
        request: Request<v1::CommitExchangeRequest>,
    ) -> Result<Response<v1::CommitExchangeResponse>, Status> {
        let record = self.hub.write(request, wire::commit).await?;
        Ok(Response::new(v1::CommitExchangeResponse { exchange: Some(wire::of_record(&record)?) }))
    }

    async fn abort_exchange(
        &self,
        request: Request<v1::AbortExchangeRequest>,
    ) -> Result<Response<v1::AbortExchangeResponse>, Status> {
        let record = self.hub.write(request, wire::abort).await?;
        Ok(Response::new(v1::AbortExchangeResponse { exchange: Some(wire::of_record(&record)?) }))
    }

    async fn reverse_exchange(
        &self,
        request: Request<v1::ReverseExchangeRequest>,
    ) -> Result<Response<v1::ReverseExchangeResponse>, Status> {
        let record = self.hub.write(request, wire::reverse).await?;
        let reversal = Some(wire::reversal_of_record(&record)?);
        Ok(Response::new(v1::ReverseExchangeResponse { reversal }))
    }

    async fn get_exchange(
        &self,
        request: Request<v1::GetExchangeRequest>,
    ) -> Result<Response<v1::GetExchangeResponse>, Status> {
        let scope = scope(&request)?;
        let id = parsed(id(&request.into_inner().exchange_id, "exchange_id"))?;
        let (exchange, reversals) =
            found(self.hub.store.exchange(&scope, id).await, Reason::ExchangeNotFound, "exchange_id")?;
        Ok(Response::new(v1::GetExchangeResponse {
            exchange: Some(wire::of_view(&exchange)),
            reversals: reversals.iter().map(wire::reversal_of_view).collect(),
        }))
    }

    async fn list_exchanges(
        &self,
        request: Request<v1::ListExchangesRequest>,
    ) -> Result<Response<v1::ListExchangesResponse>, Status> {
        let scope = scope(&request)?;
        let request = request.into_inner();
        let page = parsed(page(request.page_size, &request.page_token))?;
        let filter = parsed(wire::filter(&request))?;
        let paged = read(self.hub.store.exchanges(&scope, &filter, &page).await)?;
        let (exchanges, next_page_token) = page_of(&paged, wire::of_view);
        Ok(Response::new(v1::ListExchangesResponse { exchanges, next_page_token }))
    }
}

/// Decides a quote on what the store found. A destination of another member is refused as one that does not exist.
fn decide(view: &QuoteView, asked: QuoteRequest) -> Result<Quoted, Status> {
    let missing = |field| not_found(Reason::MembershipNotFound, field);
    let source = view.source.as_ref().ok_or_else(|| missing("source_membership_id"))?;
    let destination = view.destination.as_ref().ok_or_else(|| missing("destination_membership_id"))?;
    let inputs = QuoteInputs {
        ends: Ends { source: end(source), destination: end(destination) },
        version: view.version.as_ref(),
        caller_status: source.partner.status,
        now: view.now,
    };
    parsed(quote::quote(asked, &inputs))
}

const fn end(view: &EndView) -> End<'_> {
    End {
        membership: &view.membership,
        program: &view.program,
        partner: &view.partner,
        consent: view.consent.as_ref(),
    }
}
