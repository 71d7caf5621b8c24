//! Attacks on the transport: each is one burst, bounded in count and time, of what no well-behaved client sends.
//!
//! An attacker has a certificate of a registered partner, which is the most that a stranger could steal, and an address of
//! its own. A burst says how the hub answered it; [`Attack::must_be_cut`] says of which the hub must end the connection.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, PRIORITY, PUSH_PROMISE, RST_STREAM,
    Raw, SETTINGS, WINDOW_UPDATE, frame, head, literal, number_frame,
};
use crate::line::Identity;

/// Names the only attack to make, to look at it more closely.
const ONLY: &str = "POINTBRIDGE_HOSTILE_ATTACK";
/// A method that takes a request.
const PATH: &str = "/pointbridge.v1.PartnerService/ListPartners";
/// How many frames a flood has.
const FRAMES: u32 = 10_000;
/// How many frames go into one write.
const FRAMES_PER_WRITE: u32 = 500;
/// How long quiet attacks hold what they took.
const HOLD: Duration = Duration::from_millis(1_200);
/// How long the hub may take to end a connection on which it was wronged.
const CUT_PATIENCE: Duration = Duration::from_secs(20);
/// Connections of one partner: the hub's own bound for them, less the few that others of the partner may have.
const CONNECTIONS: usize = 48;
/// Connections without an identity: more than the hub lets one address have under way.
const NAMELESS_CONNECTIONS: usize = 400;
/// The beginning of a message of 256 KiB less one byte.
pub(crate) const WITHHELD: &[u8] = &[0, 0, 3, 0xff, 0xff, 0x0a];

/// What an attacker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attack {
    RapidReset,
    ContinuationFlood,
    PingFlood,
    DeafPingFlood,
    SettingsFlood,
    EmptyDataFlood,
    PriorityFlood,
    EmptyHeaders,
    HeaderBomb,
    CompressionBomb,
    WindowOverflow,
    StreamReuse,
    EvenStream,
    PushPromise,
    OversizedFrame,
    HalfOpenStreams,
    WithheldBodies,
    ClosedWindows,
    SilentTcp,
    StalledHandshake,
    NoPreface,
    SlowPreface,
    PlainHttp,
    Garbage,
}

impl Attack {
    /// All of them.
    pub(crate) const ALL: [Self; 24] = [
        Self::RapidReset,
        Self::ContinuationFlood,
        Self::PingFlood,
        Self::DeafPingFlood,
        Self::SettingsFlood,
        Self::EmptyDataFlood,
        Self::PriorityFlood,
        Self::EmptyHeaders,
        Self::HeaderBomb,
        Self::CompressionBomb,
        Self::WindowOverflow,
        Self::StreamReuse,
        Self::EvenStream,
        Self::PushPromise,
        Self::OversizedFrame,
        Self::HalfOpenStreams,
        Self::WithheldBodies,
        Self::ClosedWindows,
        Self::SilentTcp,
        Self::StalledHandshake,
        Self::NoPreface,
        Self::SlowPreface,
        Self::PlainHttp,
        Self::Garbage,
    ];

    /// The one that the environment names, or all of them.
    pub(crate) fn chosen() -> Vec<Self> {
        let Ok(name) = std::env::var(ONLY) else { return Self::ALL.to_vec() };
        let chosen: Vec<Self> =
            Self::ALL.into_iter().filter(|attack| format!("{attack:?}") == name).collect();
        assert!(!chosen.is_empty(), "{ONLY}={name}: there is no such attack");
        chosen
    }

    /// Whether the hub must end the connection because of it.
    pub(crate) const fn must_be_cut(self) -> bool {
        matches!(
            self,
            Self::RapidReset
                | Self::ContinuationFlood
                | Self::WindowOverflow
                | Self::StreamReuse
                | Self::EvenStream
                | Self::PushPromise
                | Self::OversizedFrame
                | Self::EmptyHeaders
                | Self::PlainHttp
                | Self::Garbage
        )
    }

    /// One burst; answers whether the hub ended the connection.
    pub(crate) async fn burst(self, enemy: &Identity) -> bool {
        // A hub that has enough of an attacker may refuse its next connection: that is an end too.
        self.try_burst(enemy).await.unwrap_or(true)
    }

    async fn try_burst(self, enemy: &Identity) -> std::io::Result<bool> {
        match self {
            Self::RapidReset => flood(Raw::open(enemy, &[]).await?, opened_and_reset).await,
            Self::ContinuationFlood => continuations(Raw::open(enemy, &[]).await?).await,
            Self::PingFlood => flood(Raw::open(enemy, &[]).await?, |_| frame(PING, 0, 0, &[7; 8])).await,
            Self::DeafPingFlood => flood(Raw::deaf(enemy).await?, |_| frame(PING, 0, 0, &[7; 8])).await,
            Self::SettingsFlood => flood(Raw::open(enemy, &[]).await?, |_| frame(SETTINGS, 0, 0, &[])).await,
            Self::EmptyDataFlood => on_a_stream(enemy, |_| frame(DATA, 0, 1, &[])).await,
            Self::PriorityFlood => {
                flood(Raw::open(enemy, &[]).await?, |number| {
                    frame(PRIORITY, 0, 2 * number + 1, &[0, 0, 0, 0, 255])
                })
                .await
            }
            Self::EmptyHeaders => {
                flood(Raw::open(enemy, &[]).await?, |number| frame(HEADERS, END_HEADERS, 2 * number + 1, &[]))
                    .await
            }
            Self::HeaderBomb => header_bomb(Raw::open(enemy, &[]).await?).await,
            Self::CompressionBomb => compression_bomb(Raw::open(enemy, &[]).await?).await,
            Self::WindowOverflow => {
                let grown = number_frame(WINDOW_UPDATE, 0, 0x7fff_ffff);
                one(enemy, &[grown.clone(), grown].concat()).await
            }
            Self::StreamReuse => {
                let open = |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &head(PATH));
                one(enemy, &[open(5), open(3)].concat()).await
            }
            Self::EvenStream => one(enemy, &frame(HEADERS, END_HEADERS | END_STREAM, 2, &head(PATH))).await,
            Self::PushPromise => {
                let promise = [&2_u32.to_be_bytes()[..], &head(PATH)].concat();
                one(enemy, &frame(PUSH_PROMISE, END_HEADERS, 1, &promise)).await
            }
            Self::OversizedFrame => one(enemy, &frame(DATA, 0, 1, &vec![0; 1 << 20])).await,
            Self::HalfOpenStreams => held(enemy, &[], &[]).await,
            Self::WithheldBodies => held(enemy, &[], WITHHELD).await,
            // The setting 4, of 0 bytes: nothing that the hub answers may be sent.
            Self::ClosedWindows => held(enemy, &[0, 4, 0, 0, 0, 0], &[0, 0, 0, 0, 0]).await,
            Self::SilentTcp => nameless(enemy, &[]).await,
            Self::StalledHandshake => nameless(enemy, &[0x16, 3, 1, 2, 0, 1, 0, 1]).await,
            Self::NoPreface => silent(enemy, None).await,
            Self::SlowPreface => silent(enemy, Some(PREFACE)).await,
            Self::PlainHttp => cleartext(enemy, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await,
            Self::Garbage => cleartext(enemy, &[0xa5; 4096]).await,
        }
    }
}

fn opened_and_reset(number: u32) -> Vec<u8> {
    let stream = 2 * number + 1;
    let mut frames = frame(HEADERS, END_HEADERS, stream, &head(PATH));
    frames.extend(number_frame(RST_STREAM, stream, 8));
    frames
}

/// Sends a flood of frames, as far as the hub takes it.
async fn flood(mut raw: Raw, make: impl Fn(u32) -> Vec<u8>) -> std::io::Result<bool> {
    for batch in 0..FRAMES / FRAMES_PER_WRITE {
        let numbers = batch * FRAMES_PER_WRITE..(batch + 1) * FRAMES_PER_WRITE;
        let frames: Vec<u8> = numbers.flat_map(&make).collect();
        if !raw.send(&frames).await {
            break;
        }
    }
    Ok(raw.cut_within(HOLD).await)
}

async fn on_a_stream(enemy: &Identity, make: impl Fn(u32) -> Vec<u8>) -> std::io::Result<bool> {
    let mut raw = Raw::open(enemy, &[]).await?;
    raw.send(&frame(HEADERS, END_HEADERS, 1, &head(PATH))).await;
    flood(raw, make).await
}

/// Headers that never end.
async fn continuations(mut raw: Raw) -> std::io::Result<bool> {
    raw.send(&frame(HEADERS, 0, 1, &head(PATH))).await;
    flood(raw, |number| frame(CONTINUATION, 0, 1, &literal(&format!("x-{number}"), "b"))).await
}

/// Headers of a megabyte on each of many streams, in frames of the largest size.
async fn header_bomb(mut raw: Raw) -> std::io::Result<bool> {
    let filler = literal("x-bomb", &"b".repeat(16_000));
    for number in 0..64 {
        let stream = 2 * number + 1;
        let mut frames = frame(HEADERS, 0, stream, &head(PATH));
        frames.extend((0..63).flat_map(|_| frame(CONTINUATION, 0, stream, &filler)));
        frames.extend(frame(CONTINUATION, END_HEADERS, stream, &filler));
        if !raw.send(&frames).await {
            break;
        }
    }
    Ok(raw.cut_within(HOLD).await)
}

/// One long header put into the table of the compression, and named by one byte ten thousand times.
async fn compression_bomb(mut raw: Raw) -> std::io::Result<bool> {
    let mut entry = literal("x-bomb", &"b".repeat(3_000));
    // A literal that the table remembers.
    entry[0] = 0x40;
    for number in 0..200 {
        let mut block = head(PATH);
        block.extend(&entry);
        // The first entry behind the 61 of the standard, by its number.
        block.extend(std::iter::repeat_n(0x80 | 0x3e, 10_000));
        if !raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, &block)).await {
            break;
        }
    }
    Ok(raw.cut_within(HOLD).await)
}

/// Sends something once and waits for what the hub does.
async fn one(enemy: &Identity, bytes: &[u8]) -> std::io::Result<bool> {
    let mut raw = Raw::open(enemy, &[]).await?;
    raw.send(bytes).await;
    Ok(raw.cut_within(CUT_PATIENCE).await)
}

/// As many calls as the hub allows on as many connections, each begun with these bytes and not ended for a while.
async fn held(enemy: &Identity, settings: &[u8], begun: &[u8]) -> std::io::Result<bool> {
    let raws = begun_calls(enemy, CONNECTIONS, settings, begun).await?;
    tokio::time::sleep(HOLD).await;
    Ok(raws.iter().all(Raw::is_cut) || raws.iter().map(Raw::resets).sum::<u64>() > 0)
}

/// Connections under these settings, each with as many calls as the hub allows, of which nothing but these bytes comes.
pub(crate) async fn begun_calls(
    enemy: &Identity,
    connections: usize,
    settings: &[u8],
    begun: &[u8],
) -> std::io::Result<Vec<Raw>> {
    let calls: Vec<u8> = (0..100)
        .flat_map(|number| {
            let stream = 2 * number + 1;
            let mut frames = frame(HEADERS, END_HEADERS, stream, &head(PATH));
            if !begun.is_empty() {
                frames.extend(frame(DATA, 0, stream, begun));
            }
            frames
        })
        .collect();
    let mut raws = Vec::new();
    for _ in 0..connections {
        let mut raw = Raw::open(enemy, settings).await?;
        raw.send(&calls).await;
        raws.push(raw);
    }
    Ok(raws)
}

/// Connections that say these bytes of a handshake and no more.
async fn nameless(enemy: &Identity, begun: &[u8]) -> std::io::Result<bool> {
    let mut opening = JoinSet::new();
    for _ in 0..NAMELESS_CONNECTIONS {
        let (enemy, begun) = (enemy.clone(), begun.to_vec());
        opening.spawn(async move {
            let mut stream = enemy.tcp().await?;
            stream.write_all(&begun).await?;
            Ok::<_, std::io::Error>(stream)
        });
    }
    let streams = opening.join_all().await;
    tokio::time::sleep(HOLD).await;
    Ok(streams.iter().any(Result::is_err))
}

/// Connections that shake hands and then say nothing, or a byte of the preface now and then.
async fn silent(enemy: &Identity, slowly: Option<&[u8]>) -> std::io::Result<bool> {
    let mut raws = Vec::new();
    for _ in 0..CONNECTIONS {
        raws.push(Raw::silent(enemy).await?);
    }
    let pause = HOLD / 12;
    for byte in slowly.unwrap_or(&[0; 12]).iter().take(12) {
        tokio::time::sleep(pause).await;
        if slowly.is_some() {
            for raw in &mut raws {
                raw.send(&[*byte]).await;
            }
        }
    }
    Ok(raws.iter().all(Raw::is_cut))
}

/// Bytes to the port without TLS, on many connections; answers whether the hub ended each.
async fn cleartext(enemy: &Identity, bytes: &[u8]) -> std::io::Result<bool> {
    use tokio::io::AsyncReadExt;
    for _ in 0..64 {
        let mut stream = enemy.tcp().await?;
        stream.write_all(bytes).await?;
        let mut said = Vec::new();
        let ended = tokio::time::timeout(CUT_PATIENCE, stream.read_to_end(&mut said)).await;
        // An alert of TLS is all that may come back: no word of HTTP.
        if ended.is_err() || said.windows(4).any(|window| window == b"HTTP") {
            return Ok(false);
        }
    }
    Ok(true)
}
