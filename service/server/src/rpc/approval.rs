//! ApprovalService.

use pointbridge_proto::v1;
use pointbridge_proto::v1::approval_service_server::ApprovalService;
use pointbridge_store::Store;
use tonic::{Request, Response, Status};

use super::{Services, page_of, parsed, read};
use crate::hub::scope;
use crate::wire::approval as wire;
use crate::wire::page::page;

#[tonic::async_trait]
impl<S: Store> ApprovalService for Services<S> {
    async fn list_approvals(
        &self,
        request: Request<v1::ListApprovalsRequest>,
    ) -> Result<Response<v1::ListApprovalsResponse>, Status> {
        let scope = scope(&request)?;
        let request = request.into_inner();
        let page = parsed(page(request.page_size, &request.page_token))?;
        let state = parsed(wire::state(&request))?;
        let (paged, now) = read(self.hub.store.approvals(&scope, state, &page).await)?;
        let (approvals, next_page_token) = page_of(&paged, |approval| wire::approval(approval, now));
        Ok(Response::new(v1::ListApprovalsResponse { approvals, next_page_token }))
    }

    async fn approve(
        &self,
        request: Request<v1::ApproveRequest>,
    ) -> Result<Response<v1::ApproveResponse>, Status> {
        let validate_only = request.get_ref().validate_only;
        let record = self.hub.write(request, wire::approve).await?;
        Ok(Response::new(wire::approved(&record, validate_only)?))
    }

    async fn reject(
        &self,
        request: Request<v1::RejectRequest>,
    ) -> Result<Response<v1::RejectResponse>, Status> {
        let record = self.hub.write(request, wire::reject).await?;
        Ok(Response::new(v1::RejectResponse { approval: Some(wire::of_record(&record)?) }))
    }
}
