//! HTTP/2 by the byte: frames that no library would send, on a TLS connection under a real certificate.
//!
//! Headers are written as literals that no table remembers. What the hub answers is read and counted in the background, so
//! that a flood does not stop because nobody listens; [`Raw::deaf`] is for floods that shall.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;

use crate::line::Identity;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// What a client begins with.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long a write may wait for a hub that does not read: to stop reading is a fair answer to a flood.
const WRITE_PATIENCE: Duration = Duration::from_secs(2);

/// A frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A frame whose payload is one number.
pub(crate) fn number_frame(kind: u8, stream: u32, number: u32) -> Vec<u8> {
    frame(kind, 0, stream, &number.to_be_bytes())
}

/// A header as a literal without a table.
pub(crate) fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut block = vec![0];
    for text in [name, value] {
        let mut length = text.len();
        if length < 127 {
            block.push(length as u8);
        } else {
            block.push(127);
            length -= 127;
            while length >= 128 {
                block.push((length % 128) as u8 | 0x80);
                length /= 128;
            }
            block.push(length as u8);
        }
        block.extend(text.bytes());
    }
    block
}

/// The headers of a call.
pub(crate) fn head(path: &str) -> Vec<u8> {
    let headers = [
        (":method", "POST"),
        (":scheme", "https"),
        (":path", path),
        (":authority", "127.0.0.1"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    headers.iter().flat_map(|(name, value)| literal(name, value)).collect()
}

/// What was seen of the hub on one connection.
#[derive(Debug, Default)]
struct Seen {
    is_closed: AtomicBool,
    resets: AtomicU64,
    /// GOAWAY came, with an error and not as a farewell.
    is_sent_away: AtomicBool,
}

/// A connection on which anything can be sent.
pub(crate) struct Raw {
    writer: WriteHalf<TlsStream<TcpStream>>,
    seen: Arc<Seen>,
    reader: Option<JoinHandle<()>>,
    /// Kept where nobody reads, so that the connection stays open.
    _unread: Option<ReadHalf<TlsStream<TcpStream>>>,
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(reader) = &self.reader {
            reader.abort();
        }
    }
}

impl Raw {
    /// Connects without a preface.
    pub(crate) async fn silent(identity: &Identity) -> std::io::Result<Self> {
        let (mut reader, writer) = split(identity.tls().await?);
        let seen = Arc::new(Seen::default());
        let noted = Arc::clone(&seen);
        let reader = tokio::spawn(async move {
            // However it ends, the connection is over.
            let _ = note(&mut reader, &noted).await;
            noted.is_closed.store(true, Ordering::Relaxed);
        });
        Ok(Self { writer, seen, reader: Some(reader), _unread: None })
    }

    /// Connects and begins HTTP/2 with these settings.
    pub(crate) async fn open(identity: &Identity, settings: &[u8]) -> std::io::Result<Self> {
        let mut raw = Self::silent(identity).await?;
        raw.send(&[PREFACE, &frame(SETTINGS, 0, 0, settings)].concat()).await;
        Ok(raw)
    }

    /// Connects and begins HTTP/2, and never reads what comes.
    pub(crate) async fn deaf(identity: &Identity) -> std::io::Result<Self> {
        let (unread, writer) = split(identity.tls().await?);
        let mut raw = Self { writer, seen: Arc::default(), reader: None, _unread: Some(unread) };
        raw.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await;
        Ok(raw)
    }

    /// Sends bytes; answers whether the hub took them.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        let write = async {
            self.writer.write_all(bytes).await?;
            self.writer.flush().await
        };
        let sent = tokio::time::timeout(WRITE_PATIENCE, write).await;
        matches!(sent, Ok(Ok(()))) && !self.is_cut()
    }

    /// Whether the hub has ended the connection, or said that it will because of what was sent.
    pub(crate) fn is_cut(&self) -> bool {
        self.seen.is_closed.load(Ordering::Relaxed) || self.seen.is_sent_away.load(Ordering::Relaxed)
    }

    /// How many streams the hub has reset.
    pub(crate) fn resets(&self) -> u64 {
        self.seen.resets.load(Ordering::Relaxed)
    }

    /// Waits until the hub has ended the connection; answers whether it did in time.
    pub(crate) async fn cut_within(&self, patience: Duration) -> bool {
        let cut = async {
            while !self.is_cut() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(patience, cut).await.is_ok()
    }
}

async fn note(reader: &mut ReadHalf<TlsStream<TcpStream>>, seen: &Seen) -> std::io::Result<()> {
    loop {
        let mut head = [0; 9];
        reader.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        reader.read_exact(&mut payload).await?;
        match head[3] {
            RST_STREAM => drop(seen.resets.fetch_add(1, Ordering::Relaxed)),
            GOAWAY if payload[4..8] != [0; 4] => seen.is_sent_away.store(true, Ordering::Relaxed),
            _ => {}
        }
    }
}

#[test]
fn frames_and_literals_are_those_of_the_standards() {
    assert_eq!(frame(PING, 0, 0, &[7; 8])[..9], [0, 0, 8, 6, 0, 0, 0, 0, 0]);
    assert_eq!(literal("te", "x"), [0, 2, b't', b'e', 1, b'x']);
    // 1337 - 127 = 1210 = 9 * 128 + 0x3a
    assert_eq!(literal("a", &"b".repeat(1337))[3..6], [127, 0x3a | 0x80, 9]);
}
