//! Lists as iteration: pages are asked for when their items are needed.
//!
//! A list request is one with a page size and a page token; its answer has items and the next page's token. Each row at the
//! end of this file joins one to its method. What is absent: a page as such; whoever wants pages calls the method.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{BoxStream, Stream, StreamExt, TryStreamExt, iter, try_unfold};
use pointbridge_proto::v1;
use tonic::Status;

use crate::client::Client;
use crate::refusal::Refusal;

/// A request whose answer is a page of a list.
pub trait List: sealed::Fetch {}

mod sealed {
    use super::{Client, Status};

    /// How one page is asked for.
    pub trait Fetch: Clone + Send + 'static {
        /// What the list is of.
        type Item: Send + 'static;

        /// Sets the page to begin at.
        fn begin_at(&mut self, token: String);

        /// Where the request begins.
        fn begins_at(&self) -> &str;

        /// Asks for one page: its items and the next page's token.
        fn fetch(
            self,
            client: &Client,
        ) -> impl Future<Output = Result<(Vec<Self::Item>, String), Status>> + Send;
    }
}

/// The items of a list, from its first page to its last. Ends after the first refusal.
///
/// It is a [`Stream`]; [`try_next`](Self::try_next) and [`all`](Self::all) do without that trait.
pub struct Items<T> {
    stream: BoxStream<'static, Result<T, Refusal>>,
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Items").finish_non_exhaustive()
    }
}

impl<T> Stream for Items<T> {
    type Item = Result<T, Refusal>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_next_unpin(context)
    }
}

impl<T> Items<T> {
    /// The next item; `None` at the end of the list.
    ///
    /// # Errors
    /// The hub refused to give the next page.
    pub async fn try_next(&mut self) -> Result<Option<T>, Refusal> {
        self.stream.try_next().await
    }

    /// All items that are left.
    ///
    /// # Errors
    /// The hub refused to give a page.
    pub async fn all(self) -> Result<Vec<T>, Refusal> {
        self.stream.try_collect().await
    }
}

impl Client {
    /// Lists to the end what a request asks for, page by page; `page_size` says how many items are asked for at a time, and
    /// `page_token` where to begin.
    ///
    /// ```no_run
    /// # async fn example(client: pointbridge_client::Client) -> Result<(), pointbridge_client::Refusal> {
    /// use pointbridge_client::v1::{ExchangeState, ListExchangesRequest};
    ///
    /// let committed = ListExchangesRequest { state: Some(ExchangeState::Committed.into()), ..Default::default() };
    /// let mut exchanges = client.items(committed);
    /// while let Some(exchange) = exchanges.try_next().await? {
    ///     println!("{}", exchange.exchange_id);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "nothing is asked for before the first item is"]
    pub fn items<L: List>(&self, request: L) -> Items<L::Item> {
        let client = self.clone();
        let pages = try_unfold(Some(request), move |next| {
            let client = client.clone();
            async move {
                let Some(request) = next else { return Ok::<_, Refusal>(None) };
                let (items, token) = request.clone().fetch(&client).await?;
                let next = following(request, token)?;
                Ok(Some((iter(VecDeque::from(items).into_iter().map(Ok)), next)))
            }
        });
        Items { stream: pages.try_flatten().boxed() }
    }
}

/// The request for the next page; `None` after the last one.
fn following<L: List>(mut request: L, token: String) -> Result<Option<L>, Refusal> {
    if token.is_empty() {
        return Ok(None);
    }
    if token == request.begins_at() {
        return Err(Status::internal("the hub says that the next page is this one: tell its operator").into());
    }
    request.begin_at(token);
    Ok(Some(request))
}

macro_rules! lists {
    ($($request:ident: $service:ident.$method:ident, $items:ident: $item:ident;)*) => {$(
        impl List for v1::$request {}

        impl sealed::Fetch for v1::$request {
            type Item = v1::$item;

            fn begin_at(&mut self, token: String) {
                self.page_token = token;
            }

            fn begins_at(&self) -> &str {
                &self.page_token
            }

            async fn fetch(self, client: &Client) -> Result<(Vec<Self::Item>, String), Status> {
                let answer = client.$service().$method(self).await?.into_inner();
                Ok((answer.$items, answer.next_page_token))
            }
        }
    )*};
}

lists! {
    ListPartnersRequest: partners.list_partners, partners: Partner;
    ListCertificatesRequest: partners.list_certificates, certificates: Certificate;
    ListProgramsRequest: partners.list_programs, programs: Program;
    ListAgreementsRequest: agreements.list_agreements, agreements: Agreement;
    ListApprovalsRequest: approvals.list_approvals, approvals: Approval;
    ListConsentsRequest: members.list_consents, consents: Consent;
    ListPostingsRequest: ledger.list_postings, postings: Posting;
    ListLotsRequest: ledger.list_lots, lots: Lot;
    ListExchangesRequest: exchanges.list_exchanges, exchanges: Exchange;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_goes_on_while_there_is_another_page() {
        let first = v1::ListLotsRequest { page_size: 2, ..Default::default() };
        let second = following(first.clone(), "two".to_owned()).unwrap().unwrap();
        assert_eq!(second, v1::ListLotsRequest { page_token: "two".to_owned(), ..first });
        assert_eq!(following(second.clone(), String::new()).unwrap(), None);
        assert!(following(second, "two".to_owned()).is_err(), "a page that follows itself has no end");
    }
}
