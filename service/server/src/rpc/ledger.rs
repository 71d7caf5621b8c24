//! LedgerService.

use pointbridge_core::rejection::Reason;
use pointbridge_proto::v1;
use pointbridge_proto::v1::ledger_service_server::LedgerService;
use pointbridge_store::Store;
use tonic::{Request, Response, Status};

use super::{Services, found, page_of, parsed};
use crate::hub::scope;
use crate::wire::page::page;
use crate::wire::{id, ledger as wire};

const NOT_FOUND: Reason = Reason::MembershipNotFound;

#[tonic::async_trait]
impl<S: Store> LedgerService for Services<S> {
    async fn accrue_points(
        &self,
        request: Request<v1::AccruePointsRequest>,
    ) -> Result<Response<v1::AccruePointsResponse>, Status> {
        let validate_only = request.get_ref().validate_only;
        let record = self.hub.write(request, wire::accrue).await?;
        let (balance, record_id) =
            (wire::balance_of_record(&record)?, wire::record_id(&record, validate_only));
        Ok(Response::new(v1::AccruePointsResponse { balance: Some(balance), record_id }))
    }

    async fn adjust_points(
        &self,
        request: Request<v1::AdjustPointsRequest>,
    ) -> Result<Response<v1::AdjustPointsResponse>, Status> {
        let validate_only = request.get_ref().validate_only;
        let record = self.hub.write(request, wire::adjust).await?;
        Ok(Response::new(wire::adjusted(&record, validate_only)?))
    }

    async fn get_balance(
        &self,
        request: Request<v1::GetBalanceRequest>,
    ) -> Result<Response<v1::GetBalanceResponse>, Status> {
        let scope = scope(&request)?;
        let id = parsed(id(&request.into_inner().membership_id, "membership_id"))?;
        let (account, program) = found(self.hub.store.balance(&scope, id).await, NOT_FOUND, "membership_id")?;
        Ok(Response::new(v1::GetBalanceResponse { balance: Some(wire::balance(&account, &program)) }))
    }

    async fn list_postings(
        &self,
        request: Request<v1::ListPostingsRequest>,
    ) -> Result<Response<v1::ListPostingsResponse>, Status> {
        let scope = scope(&request)?;
        let request = request.into_inner();
        let page = parsed(page(request.page_size, &request.page_token))?;
        let id = parsed(id(&request.membership_id, "membership_id"))?;
        let paged = found(self.hub.store.postings(&scope, id, &page).await, NOT_FOUND, "membership_id")?;
        let (postings, next_page_token) = page_of(&paged, wire::posting);
        Ok(Response::new(v1::ListPostingsResponse { postings, next_page_token }))
    }

    async fn list_lots(
        &self,
        request: Request<v1::ListLotsRequest>,
    ) -> Result<Response<v1::ListLotsResponse>, Status> {
        let scope = scope(&request)?;
        let request = request.into_inner();
        let page = parsed(page(request.page_size, &request.page_token))?;
        let id = parsed(id(&request.membership_id, "membership_id"))?;
        let (paged, program) =
            found(self.hub.store.lots(&scope, id, &page).await, NOT_FOUND, "membership_id")?;
        let (lots, next_page_token) = page_of(&paged, |lot| wire::lot(lot, program.scale));
        Ok(Response::new(v1::ListLotsResponse { lots, next_page_token }))
    }
}
