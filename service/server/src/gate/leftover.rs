//! The body of a call that is refused: taken in and thrown away before the answer goes out.
//!
//! An answer that goes out while the caller still sends makes HTTP/2 reset the stream, and what then arrives on it counts
//! against the connection, which is ended after some hundred such: a client that is only asked to slow down would lose it, with
//! all its other calls. What a well-behaved client sends is on its way by then, and costs next to nothing. Whoever sends
//! too much, or waits in between, gets the answer at once. Absent on purpose: looking at any of it.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::Body as HttpBody;
use tokio::time::timeout;

use crate::limits::MESSAGE_BYTES_MAX;

/// How long the hub waits for the next piece, and for all of them. A body without an end, as streams have, waits once.
const NEXT_MAX: Duration = Duration::from_millis(250);
const WHOLE_MAX: Duration = Duration::from_secs(1);

/// Takes a body in, as far as it is one message's, and throws it away.
pub(super) async fn throw_away<B: HttpBody<Data = Bytes>>(body: B) {
    let mut body = pin!(body);
    let mut left = MESSAGE_BYTES_MAX;
    let whole = async {
        while left > 0 && !body.is_end_stream() {
            let Ok(Some(Ok(frame))) = timeout(NEXT_MAX, poll_fn(|cx| body.as_mut().poll_frame(cx))).await
            else {
                return;
            };
            left = left.saturating_sub(frame.data_ref().map_or(0, Buf::remaining));
        }
    };
    // What does not end in time is answered as it is.
    let _ = timeout(WHOLE_MAX, whole).await;
}
