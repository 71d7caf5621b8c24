//! One effect per request id: a repeated call answers with the bytes of the first answer, whatever happened between.

use pointbridge_client::{Client, v1};
use prost::Message;
use tonic::Code;

use crate::asks;
use crate::harness::Hub;
use crate::raw::{ask, full, refused, send};
use crate::scene::{Scene, member};

/// A writing call that was made: who made it, what it was, and what came back.
struct Made {
    method: &'static str,
    partner: &'static str,
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// Makes calls and keeps what was sent and answered.
struct Diary<'a> {
    scene: &'a Scene,
    made: Vec<Made>,
}

/// A client of a partner's systems, or of one of the operator's two people.
async fn client_of(hub: &Hub, partner: &str) -> Client {
    match partner {
        "operator" => hub.operator().await,
        "second operator" => hub.client("operator/zhao").await,
        code => hub.partner(code).await,
    }
}

impl Diary<'_> {
    async fn make<A: Message + Default>(
        &mut self,
        partner: &'static str,
        method: &'static str,
        request: impl Message,
    ) -> A {
        let client = client_of(&self.scene.hub, partner).await;
        let request = request.encode_to_vec();
        let answer = send(&client, &full(method), request.clone()).await.unwrap();
        let decoded = A::decode(&*answer).unwrap();
        self.made.push(Made { method, partner, request, answer });
        decoded
    }

    /// A new program, and terms for it; answers with its id.
    async fn agree(&mut self) -> String {
        let request = asks::create_partner("cinema");
        let _: v1::CreatePartnerResponse =
            self.make("operator", "PartnerService/CreatePartner", request).await;
        let request = asks::update_partner("market", "Market");
        let _: v1::UpdatePartnerResponse = self.make("market", "PartnerService/UpdatePartner", request).await;
        let request = asks::create_program("babycare", "moons", 0);
        let moons: v1::CreateProgramResponse =
            self.make("babycare", "PartnerService/CreateProgram", request).await;
        let moons = moons.program.unwrap().program_id;
        let request = asks::update_program(&moons);
        let _: v1::UpdateProgramResponse =
            self.make("babycare", "PartnerService/UpdateProgram", request).await;
        let request = asks::propose("babycare", vec![asks::direction(&self.scene.points, &moons)]);
        let proposed: v1::ProposeAgreementResponse =
            self.make("market", "AgreementService/ProposeAgreement", request).await;
        let request = asks::accept(&proposed.agreement.unwrap());
        let _: v1::AcceptAgreementResponse =
            self.make("babycare", "AgreementService/AcceptAgreement", request).await;
        moons
    }

    /// A member of the program, linked with Ms Li at the market; consents, one of them withdrawn.
    async fn enrol(&mut self, program: &str) {
        let li_points = self.scene.li_points.clone();
        let request = asks::register(program, "panda/li");
        let li: v1::RegisterMembershipResponse =
            self.make("babycare", "MemberService/RegisterMembership", request).await;
        let li = li.membership.unwrap().membership_id;
        let request = asks::issue_link_code(&li_points, "babycare");
        let code: v1::IssueLinkCodeResponse =
            self.make("market", "MemberService/IssueLinkCode", request).await;
        let request = asks::merge(&code.link_code, &li);
        let _: v1::MergeMembersResponse = self.make("babycare", "MemberService/MergeMembers", request).await;
        let request = asks::consent(&li_points, "babycare");
        let given: v1::GrantConsentResponse =
            self.make("market", "MemberService/GrantConsent", request).await;
        let request = asks::withdraw(&given.consent.unwrap().consent_id);
        let _: v1::WithdrawConsentResponse =
            self.make("market", "MemberService/WithdrawConsent", request).await;
    }

    /// A partner suspended and resumed by two people, who then disagree about a correction; a certificate pinned and one
    /// revoked; a signing key.
    async fn stand(&mut self, program: &str) {
        let (wang, zhao) = ("operator", "second operator");
        let request = asks::suspend("cinema");
        let _: v1::SuspendPartnerResponse = self.make(wang, "PartnerService/SuspendPartner", request).await;
        let request = asks::resume("cinema");
        let asked: v1::ResumePartnerResponse = self.make(wang, "PartnerService/ResumePartner", request).await;
        let request = asks::approve(&asked.approval.unwrap());
        let _: v1::ApproveResponse = self.make(zhao, "ApprovalService/Approve", request).await;
        let request = asks::adjust(&self.scene.li_points, "5");
        let asked: v1::AdjustPointsResponse = self.make(wang, "LedgerService/AdjustPoints", request).await;
        let request = asks::reject(&asked.approval.unwrap());
        let _: v1::RejectResponse = self.make(zhao, "ApprovalService/Reject", request).await;
        let pem = self.scene.hub.certificate_pem("partner/cinema/partner/till-7");
        let request = asks::add_certificate("cinema", &pem);
        let _: v1::AddCertificateResponse = self.make(wang, "PartnerService/AddCertificate", request).await;
        let request = asks::revoke_certificate(&"0".repeat(64));
        let _: v1::RevokeCertificateResponse =
            self.make(wang, "PartnerService/RevokeCertificate", request).await;
        let request = asks::register_key(program, "2026-11");
        let _: v1::RegisterSigningKeyResponse =
            self.make("babycare", "PartnerService/RegisterSigningKey", request).await;
    }

    /// Points for Ms Li, one exchange that is committed and reversed, and one that is aborted.
    async fn exchange(&mut self) {
        let scene = self.scene;
        let request = asks::accrue(&scene.li_points, "900");
        let _: v1::AccruePointsResponse = self.make("market", "LedgerService/AccruePoints", request).await;
        let request = asks::adjust(&scene.li_points, "-1");
        let _: v1::AdjustPointsResponse = self.make("market", "LedgerService/AdjustPoints", request).await;
        let request = asks::prepare(&scene.quote("100").await.quote_token, "SM-1");
        let first: v1::PrepareExchangeResponse =
            self.make("market", "ExchangeService/PrepareExchange", request).await;
        let request = asks::prepare(&scene.quote("200").await.quote_token, "SM-2");
        let second: v1::PrepareExchangeResponse =
            self.make("market", "ExchangeService/PrepareExchange", request).await;
        let committed = first.exchange.unwrap().exchange_id;
        let request = asks::commit(&committed);
        let _: v1::CommitExchangeResponse =
            self.make("market", "ExchangeService/CommitExchange", request).await;
        let request = asks::reverse(&committed, None);
        let _: v1::ReverseExchangeResponse =
            self.make("airline", "ExchangeService/ReverseExchange", request).await;
        let request = asks::abort(&second.exchange.unwrap().exchange_id);
        let _: v1::AbortExchangeResponse =
            self.make("airline", "ExchangeService/AbortExchange", request).await;
    }
}

/// Makes one call of each writing kind, in an order in which each succeeds.
async fn make_one_of_each(scene: &Scene) -> Vec<Made> {
    let mut diary = Diary { scene, made: Vec::new() };
    let program = diary.agree().await;
    diary.enrol(&program).await;
    diary.exchange().await;
    diary.stand(&program).await;
    diary.made
}

async fn repeat_all(hub: &Hub, made: &[Made], when: &str) {
    for one in made {
        let client = client_of(hub, one.partner).await;
        let again = send(&client, &full(one.method), one.request.clone()).await;
        let again = again.unwrap_or_else(|status| panic!("{} {when}: {status:?}", one.method));
        assert_eq!(again, one.answer, "{} {when} answers other bytes", one.method);
    }
}

#[tokio::test]
async fn every_repeated_call_answers_the_same_bytes_also_after_a_restart() {
    let scene = Scene::open().await;
    let made = make_one_of_each(&scene).await;
    let before = scene.market_balance().await;
    repeat_all(&scene.hub, &made, "again").await;
    assert_eq!(scene.market_balance().await, before);
    // Another day, so that holds, codes and quotes are long over.
    let hub = Hub::start_in(scene.hub.stop().await, 86_400).await;
    repeat_all(&hub, &made, "after a restart").await;
    hub.settle().await;
}

#[tokio::test]
async fn every_writing_method_is_repeated_above() {
    let scene = Scene::open().await;
    let made = make_one_of_each(&scene).await;
    for row in pointbridge::authz::TABLE {
        if row.effect == pointbridge::authz::Effect::Write {
            assert!(made.iter().any(|one| full(one.method) == row.method), "{} is not repeated", row.method);
        }
    }
    scene.hub.settle().await;
}

#[tokio::test]
async fn a_request_id_with_another_body_is_refused_and_one_spelled_otherwise_is_the_same() {
    let scene = Scene::open().await;
    let mut ledger = scene.market.ledger();
    let first = asks::accrue(&scene.li_points, "10");
    let answer = ledger.accrue_points(first.clone()).await.unwrap().into_inner();
    let other = v1::AccruePointsRequest { amount: "11".to_owned(), ..first.clone() };
    let refusal = refused(ledger.accrue_points(other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(refusal.violations[0].field, "request_id");
    // The same id of another method, and of another partner, is another request.
    let adjust = v1::AdjustPointsRequest {
        request_id: first.request_id.clone(),
        ..asks::adjust(&scene.li_points, "1")
    };
    ledger.adjust_points(adjust).await.unwrap();
    let theirs = v1::AccruePointsRequest {
        request_id: first.request_id.clone(),
        ..asks::accrue(&scene.li_miles, "10")
    };
    scene.airline.ledger().accrue_points(theirs).await.unwrap();
    let again = ledger.accrue_points(first).await.unwrap().into_inner();
    assert_eq!(again, answer);
    assert_eq!(scene.market_balance().await, ["11", "0", "11"]);
    // What is compared is the amount, not its spelling.
    let baby = member(&scene.babycare, &scene.stars, "panda/li").await;
    let short = asks::accrue(&baby, "1.5");
    let long = v1::AccruePointsRequest { amount: "1.50".to_owned(), ..short.clone() };
    let short = scene.babycare.ledger().accrue_points(short).await.unwrap().into_inner();
    assert_eq!(scene.babycare.ledger().accrue_points(long).await.unwrap().into_inner(), short);
    scene.hub.settle().await;
}

#[tokio::test]
async fn a_refused_call_may_be_made_again_with_its_request_id() {
    let scene = Scene::open().await;
    let request = asks::prepare(&scene.quote("100").await.quote_token, "SM-1");
    let mut market = scene.market.exchanges();
    let short = market.prepare_exchange(request.clone()).await;
    refused(short, Code::FailedPrecondition, "INSUFFICIENT_POINTS");
    scene.earn("100").await;
    market.prepare_exchange(request).await.unwrap();
    assert_eq!(scene.market_balance().await, ["100", "100", "0"]);
    scene.hub.settle().await;
}

#[tokio::test]
async fn requests_sent_at_the_same_time_with_one_id_have_one_effect() {
    let scene = Scene::open().await;
    let request = asks::accrue(&scene.li_points, "10");
    let calls = (0..20).map(|_| {
        let (client, request) = (scene.market.clone(), request.clone());
        tokio::spawn(async move { ask(&client, "LedgerService/AccruePoints", &request).await.unwrap() })
    });
    let mut answers = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        answers.push(call.await.unwrap());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "one request, one answer");
    assert_eq!(scene.market_balance().await, ["10", "0", "10"]);
    scene.hub.settle().await;
}
