//! A request's body on its way in: room for each message is taken from the hub's budget as soon as its size is announced.
//!
//! A gRPC message comes behind five bytes, of which four are its length, and the library sets aside that much memory when it has
//! read them. The room is given back when the next message begins or the body is dropped, which is when the message was decoded.
//! Who sends slowly holds its room until its deadline, and never more than its party's part.
//!
//! Absent on purpose: a limit on the size of a message; the library refuses what is too large with a reason of its own.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::Status;

use super::activity::{Activity, Quiet};
use crate::limits::{Admission, MESSAGE_BYTES_MAX, Room};
use crate::status;

/// The bytes before each message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// A body whose messages are counted while they come.
pub(super) struct Metered<B> {
    inner: Pin<Box<B>>,
    admission: Admission,
    activity: Arc<Activity>,
    quiet: Quiet,
    prefix: Vec<u8>,
    /// Bytes of the message that are still to come.
    to_come: usize,
    room: Option<Room>,
}

impl<B> Metered<B> {
    /// A body of this call.
    pub(super) fn new(inner: B, admission: Admission, activity: Arc<Activity>) -> Self {
        let prefix = Vec::with_capacity(PREFIX_BYTES);
        Self {
            inner: Box::pin(inner),
            admission,
            activity,
            quiet: Quiet::default(),
            prefix,
            to_come: 0,
            room: None,
        }
    }

    /// Goes over what came, and takes room for each message that it begins.
    fn count(&mut self, mut data: &[u8]) -> Result<(), Status> {
        while !data.is_empty() {
            let of_message = self.to_come.min(data.len());
            self.to_come = self.to_come.saturating_sub(of_message);
            data = data.get(of_message..).unwrap_or_default();
            let missing = PREFIX_BYTES.saturating_sub(self.prefix.len()).min(data.len());
            let (of_prefix, rest) = data.split_at_checked(missing).unwrap_or_default();
            self.prefix.extend_from_slice(of_prefix);
            data = rest;
            if let Some(length) = length(&self.prefix) {
                self.prefix.clear();
                self.to_come = length;
                // What the message before had is free first: it was read, or came in the same bytes.
                self.room = None;
                if (1..=MESSAGE_BYTES_MAX).contains(&length) {
                    self.room = Some(self.admission.reserve(length)?);
                }
            }
        }
        Ok(())
    }
}

/// The length that a whole prefix announces.
fn length(prefix: &[u8]) -> Option<usize> {
    let [_, length @ ..] = prefix.first_chunk::<PREFIX_BYTES>()?;
    Some(usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX))
}

impl<B> HttpBody for Metered<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let frame = match this.inner.as_mut().poll_frame(cx) {
            // Whoever reads this stream must learn its end too, or it would wait for ever.
            Poll::Pending => {
                return this.quiet.poll(&this.activity, cx).map(|()| Some(Err(status::of_idle_stream())));
            }
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(Status::from_error(error.into())))),
            Poll::Ready(Some(Ok(frame))) => frame,
        };
        this.activity.note();
        let counted = frame.data_ref().map_or(Ok(()), |data| this.count(data));
        Poll::Ready(Some(counted.map(|()| frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
