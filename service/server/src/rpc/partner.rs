//! PartnerService.

use pointbridge_core::rejection::Reason;
use pointbridge_core::text::PartnerCode;
use pointbridge_proto::v1;
use pointbridge_proto::v1::partner_service_server::PartnerService;
use pointbridge_store::Store;
use tonic::{Request, Response, Status};

use super::{Services, found, page_of, parsed, read};
use crate::authz::{caller_of, peer_of};
use crate::hub::scope;
use crate::limits::Admission;
use crate::status::of_fault;
use crate::wire::page::page;
use crate::wire::{approval, credential, id, partner as wire, text};

#[tonic::async_trait]
impl<S: Store> PartnerService for Services<S> {
    async fn create_partner(
        &self,
        request: Request<v1::CreatePartnerRequest>,
    ) -> Result<Response<v1::CreatePartnerResponse>, Status> {
        let record = self.hub.write(request, wire::create).await?;
        Ok(Response::new(v1::CreatePartnerResponse { partner: Some(wire::of_record(&record)?) }))
    }

    async fn get_partner(
        &self,
        request: Request<v1::GetPartnerRequest>,
    ) -> Result<Response<v1::GetPartnerResponse>, Status> {
        let scope = scope(&request)?;
        let code = parsed(text(PartnerCode::new(request.into_inner().code), "code"))?;
        let partner = found(self.hub.store.partner(&scope, &code).await, Reason::PartnerNotFound, "code")?;
        Ok(Response::new(v1::GetPartnerResponse { partner: Some(wire::partner(&partner)) }))
    }

    async fn list_partners(
        &self,
        request: Request<v1::ListPartnersRequest>,
    ) -> Result<Response<v1::ListPartnersResponse>, Status> {
        let scope = scope(&request)?;
        let request = request.into_inner();
        let page = parsed(page(request.page_size, &request.page_token))?;
        let (partners, next_page_token) =
            page_of(&read(self.hub.store.partners(&scope, &page).await)?, wire::partner);
        Ok(Response::new(v1::ListPartnersResponse { partners, next_page_token }))
    }

    async fn update_partner(
        &self,
        request: Request<v1::UpdatePartnerRequest>,
    ) -> Result<Response<v1::UpdatePartnerResponse>, Status> {
        let record = self.hub.write(request, wire::update).await?;
        Ok(Response::new(v1::UpdatePartnerResponse { partner: Some(wire::of_record(&record)?) }))
    }

    async fn suspend_partner(
        &self,
        request: Request<v1::SuspendPartnerRequest>,
    ) -> Result<Response<v1::SuspendPartnerResponse>, Status> {
        let record = self.hub.write(request, wire::suspend).await?;
        Ok(Response::new(v1::SuspendPartnerResponse { partner: Some(wire::of_record(&record)?) }))
    }

    async fn resume_partner(
        &self,
        request: Request<v1::ResumePartnerRequest>,
    ) -> Result<Response<v1::ResumePartnerResponse>, Status> {
        let record = self.hub.write(request, wire::resume).await?;
        Ok(Response::new(v1::ResumePartnerResponse { approval: Some(approval::of_record(&record)?) }))
    }

    async fn add_certificate(
        &self,
        request: Request<v1::AddCertificateRequest>,
    ) -> Result<Response<v1::AddCertificateResponse>, Status> {
        let peer = peer_of(&request)?;
        let record = self.hub.write(request, |request| credential::add(request, &peer)).await?;
        Ok(Response::new(v1::AddCertificateResponse { certificate: Some(credential::of_record(&record)?) }))
    }

    async fn revoke_certificate(
        &self,
        request: Request<v1::RevokeCertificateRequest>,
    ) -> Result<Response<v1::RevokeCertificateResponse>, Status> {
        let record = self.hub.write(request, credential::revoke).await?;
        Ok(Response::new(v1::RevokeCertificateResponse {
            certificate: Some(credential::of_record(&record)?),
        }))
    }

    async fn list_certificates(
        &self,
        request: Request<v1::ListCertificatesRequest>,
    ) -> Result<Response<v1::ListCertificatesResponse>, Status> {
        let scope = scope(&request)?;
        let request = request.into_inner();
        let page = parsed(page(request.page_size, &request.page_token))?;
        let partner = request.partner_code.map(|code| text(PartnerCode::new(code), "partner_code"));
        let partner = parsed(partner.transpose())?;
        let paged = read(self.hub.store.certificates(&scope, partner.as_ref(), &page).await)?;
        let (certificates, next_page_token) = page_of(&paged, credential::certificate);
        Ok(Response::new(v1::ListCertificatesResponse { certificates, next_page_token }))
    }

    async fn register_signing_key(
        &self,
        request: Request<v1::RegisterSigningKeyRequest>,
    ) -> Result<Response<v1::RegisterSigningKeyResponse>, Status> {
        let record = self.hub.write(request, credential::register).await?;
        let signing_key = Some(credential::key_of_record(&record)?);
        Ok(Response::new(v1::RegisterSigningKeyResponse { signing_key }))
    }

    async fn who_am_i(
        &self,
        request: Request<v1::WhoAmIRequest>,
    ) -> Result<Response<v1::WhoAmIResponse>, Status> {
        let (caller, peer) = (caller_of(&request)?, peer_of(&request)?);
        let quotas = request.extensions().get::<Admission>().map(Admission::quotas).unwrap_or_default();
        let admission = self.hub.store.admission(caller.partner(), &peer.certificate.fingerprint).await;
        let (admission, environment) = (&read(admission)?, self.hub.environment);
        let principal = peer.principal.as_ref().map_err(|error| of_fault(&error.to_string()))?;
        let somebody = credential::Somebody { principal, peer: &peer, admission, environment, quotas };
        Ok(Response::new(credential::somebody(somebody)))
    }

    async fn create_program(
        &self,
        request: Request<v1::CreateProgramRequest>,
    ) -> Result<Response<v1::CreateProgramResponse>, Status> {
        let record = self.hub.write(request, wire::create_program).await?;
        Ok(Response::new(v1::CreateProgramResponse { program: Some(wire::program_of_record(&record)?) }))
    }

    async fn update_program(
        &self,
        request: Request<v1::UpdateProgramRequest>,
    ) -> Result<Response<v1::UpdateProgramResponse>, Status> {
        let record = self.hub.write(request, wire::update_program).await?;
        Ok(Response::new(v1::UpdateProgramResponse { program: Some(wire::program_of_record(&record)?) }))
    }

    async fn get_program(
        &self,
        request: Request<v1::GetProgramRequest>,
    ) -> Result<Response<v1::GetProgramResponse>, Status> {
        let scope = scope(&request)?;
        let id = parsed(id(&request.into_inner().program_id, "program_id"))?;
        let program = found(self.hub.store.program(&scope, id).await, Reason::ProgramNotFound, "program_id")?;
        let keys =
            found(self.hub.store.signing_keys(&scope, id).await, Reason::ProgramNotFound, "program_id")?;
        let signing_keys = keys.iter().map(credential::signing_key).collect();
        Ok(Response::new(v1::GetProgramResponse { program: Some(wire::program(&program)), signing_keys }))
    }

    async fn list_programs(
        &self,
        request: Request<v1::ListProgramsRequest>,
    ) -> Result<Response<v1::ListProgramsResponse>, Status> {
        let scope = scope(&request)?;
        let request = request.into_inner();
        let page = parsed(page(request.page_size, &request.page_token))?;
        let partner = request.partner_code.map(|code| text(PartnerCode::new(code), "partner_code"));
        let partner = parsed(partner.transpose())?;
        let paged = read(self.hub.store.programs(&scope, partner.as_ref(), &page).await)?;
        let (programs, next_page_token) = page_of(&paged, wire::program);
        Ok(Response::new(v1::ListProgramsResponse { programs, next_page_token }))
    }
}
