//! MemberService.

use pointbridge_core::rejection::Reason;
use pointbridge_proto::v1;
use pointbridge_proto::v1::member_service_server::MemberService;
use pointbridge_store::Store;
use tonic::{Request, Response, Status};

use super::{Services, found, page_of, parsed};
use crate::hub::scope;
use crate::wire::page::page;
use crate::wire::{id, member as wire};

#[tonic::async_trait]
impl<S: Store> MemberService for Services<S> {
    async fn register_membership(
        &self,
        request: Request<v1::RegisterMembershipRequest>,
    ) -> Result<Response<v1::RegisterMembershipResponse>, Status> {
        let reference = request.get_ref().external_reference.clone();
        let record = self.hub.write(request, wire::register).await?;
        let membership = Some(wire::of_record(&record, reference)?);
        Ok(Response::new(v1::RegisterMembershipResponse { membership }))
    }

    async fn get_membership(
        &self,
        request: Request<v1::GetMembershipRequest>,
    ) -> Result<Response<v1::GetMembershipResponse>, Status> {
        let scope = scope(&request)?;
        let name = parsed(wire::name(request.into_inner()))?;
        let found =
            found(self.hub.store.membership(&scope, &name).await, Reason::MembershipNotFound, "name")?;
        let is_own = scope.partner() == Some(&found.membership.partner);
        Ok(Response::new(v1::GetMembershipResponse { membership: Some(wire::of_view(&found, is_own)) }))
    }

    async fn issue_link_code(
        &self,
        request: Request<v1::IssueLinkCodeRequest>,
    ) -> Result<Response<v1::IssueLinkCodeResponse>, Status> {
        let validate_only = request.get_ref().validate_only;
        let keys = &self.hub.keys;
        let record = self.hub.write(request, |request| wire::issue_link_code(request, keys)).await?;
        wire::link_code(&record, keys, validate_only).map(Response::new)
    }

    async fn merge_members(
        &self,
        request: Request<v1::MergeMembersRequest>,
    ) -> Result<Response<v1::MergeMembersResponse>, Status> {
        let record = self.hub.write(request, wire::merge).await?;
        Ok(Response::new(v1::MergeMembersResponse { membership: Some(wire::merged(&record)?) }))
    }

    async fn grant_consent(
        &self,
        request: Request<v1::GrantConsentRequest>,
    ) -> Result<Response<v1::GrantConsentResponse>, Status> {
        let record = self.hub.write(request, wire::grant).await?;
        Ok(Response::new(v1::GrantConsentResponse { consent: Some(wire::consent_of_record(&record)?) }))
    }

    async fn withdraw_consent(
        &self,
        request: Request<v1::WithdrawConsentRequest>,
    ) -> Result<Response<v1::WithdrawConsentResponse>, Status> {
        let record = self.hub.write(request, wire::withdraw).await?;
        Ok(Response::new(v1::WithdrawConsentResponse { consent: Some(wire::consent_of_record(&record)?) }))
    }

    async fn list_consents(
        &self,
        request: Request<v1::ListConsentsRequest>,
    ) -> Result<Response<v1::ListConsentsResponse>, Status> {
        let scope = scope(&request)?;
        let request = request.into_inner();
        let page = parsed(page(request.page_size, &request.page_token))?;
        let id = parsed(id(&request.membership_id, "membership_id"))?;
        let listed = self.hub.store.consents(&scope, id, &page).await;
        let paged = found(listed, Reason::MembershipNotFound, "membership_id")?;
        let (consents, next_page_token) = page_of(&paged, wire::consent_of_view);
        Ok(Response::new(v1::ListConsentsResponse { consents, next_page_token }))
    }
}
