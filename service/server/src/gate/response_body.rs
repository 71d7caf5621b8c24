//! An answer's body on its way out: keeps the call's place until it is sent, and ends a stream on which nothing happens.
//!
//! The place is free before the caller has the end of the answer, so that who makes one call after the other never meets its own
//! limit. A caller that does not read what it asked for keeps its place, which is what bounds the answers in memory.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

use super::activity::{Activity, Quiet};
use crate::limits::Admission;
use crate::status;

/// A body that ends when it has been quiet for too long.
pub(super) struct Held {
    inner: Option<Body>,
    place: Option<Admission>,
    activity: Arc<Activity>,
    quiet: Quiet,
}

impl Held {
    /// The body of this call's answer.
    pub(super) fn new(inner: Body, place: Admission, activity: Arc<Activity>) -> Self {
        activity.note();
        Self { inner: Some(inner), place: Some(place), activity, quiet: Quiet::default() }
    }

    fn end(&mut self) -> Frame<Bytes> {
        (self.inner, self.place) = (None, None);
        let mut trailers = HeaderMap::new();
        // A status without details is better than none.
        if status::of_idle_stream().add_header(&mut trailers).is_err() {
            let _ = Status::deadline_exceeded("the stream was idle").add_header(&mut trailers);
        }
        Frame::trailers(trailers)
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let Some(inner) = this.inner.as_mut() else { return Poll::Ready(None) };
        let Poll::Ready(found) = Pin::new(inner).poll_frame(cx) else {
            return this.quiet.poll(&this.activity, cx).map(|()| Some(Ok(this.end())));
        };
        this.activity.note();
        if !matches!(&found, Some(Ok(frame)) if frame.is_data()) {
            (this.inner, this.place) = (None, None);
        }
        Poll::Ready(found)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}
