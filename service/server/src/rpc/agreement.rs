//! AgreementService.

use pointbridge_core::rejection::Reason;
use pointbridge_core::text::PartnerCode;
use pointbridge_proto::v1;
use pointbridge_proto::v1::agreement_service_server::AgreementService;
use pointbridge_store::Store;
use tonic::{Request, Response, Status};

use super::{Services, found, page_of, parsed, read};
use crate::hub::scope;
use crate::wire::page::page;
use crate::wire::{agreement as wire, id, text};

#[tonic::async_trait]
impl<S: Store> AgreementService for Services<S> {
    async fn propose_agreement(
        &self,
        request: Request<v1::ProposeAgreementRequest>,
    ) -> Result<Response<v1::ProposeAgreementResponse>, Status> {
        let record = self.hub.write(request, wire::propose).await?;
        Ok(Response::new(v1::ProposeAgreementResponse { agreement: Some(wire::of_record(&record)?) }))
    }

    async fn accept_agreement(
        &self,
        request: Request<v1::AcceptAgreementRequest>,
    ) -> Result<Response<v1::AcceptAgreementResponse>, Status> {
        let record = self.hub.write(request, wire::accept).await?;
        Ok(Response::new(v1::AcceptAgreementResponse { agreement: Some(wire::of_record(&record)?) }))
    }

    async fn get_agreement(
        &self,
        request: Request<v1::GetAgreementRequest>,
    ) -> Result<Response<v1::GetAgreementResponse>, Status> {
        let scope = scope(&request)?;
        let id = parsed(id(&request.into_inner().agreement_id, "agreement_id"))?;
        let view =
            found(self.hub.store.agreement(&scope, id).await, Reason::AgreementNotFound, "agreement_id")?;
        Ok(Response::new(v1::GetAgreementResponse { agreement: Some(wire::of_view(&view)) }))
    }

    async fn list_agreements(
        &self,
        request: Request<v1::ListAgreementsRequest>,
    ) -> Result<Response<v1::ListAgreementsResponse>, Status> {
        let scope = scope(&request)?;
        let request = request.into_inner();
        let page = parsed(page(request.page_size, &request.page_token))?;
        let partner = request.partner_code.map(|code| text(PartnerCode::new(code), "partner_code"));
        let partner = parsed(partner.transpose())?;
        let paged = read(self.hub.store.agreements(&scope, partner.as_ref(), &page).await)?;
        let (agreements, next_page_token) = page_of(&paged, wire::of_view);
        Ok(Response::new(v1::ListAgreementsResponse { agreements, next_page_token }))
    }
}
