//! Many clients at once, most of them silent or slow: who waits, who is cut, and that the others are served.

use super::*;

#[tokio::test]
async fn handshakes_beyond_the_bound_wait_for_a_place() {
    let mut hub = hub(Limits { handshakes_max: 1, handshake_wait: PATIENCE, ..short() }).await;
    let _silent = TcpStream::connect(hub.address).await.unwrap();
    let alice = hub.issue("operator/alice");
    // The only place is the silent client's until its time is over; then this one gets it.
    let _client = hub.connect(client(&hub.ca_pem(), Some(&alice))).await.unwrap();
    assert!(hub.next().await.peer().principal.is_ok());
}

#[tokio::test]
async fn handshakes_of_one_address_are_bounded() {
    let limits = Limits { handshakes_per_address_max: 1, ..Limits::default() };
    let hub = hub(limits).await;
    let _silent = TcpStream::connect(hub.address).await.unwrap();
    let mut second = TcpStream::connect(hub.address).await.unwrap();
    // Cut at once: the handshake's own time-out is 5 s, and nothing is ever sent.
    let read = timeout(Duration::from_secs(4), second.read(&mut [0])).await.expect("the end in time");
    assert!(!matches!(read, Ok(1..)));
}

/// A client from another address of this machine, which says nothing by itself.
async fn from_elsewhere(hub: SocketAddr, last: u8) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into()).unwrap();
    socket.connect(hub).await.unwrap()
}

async fn assert_cut_within(time: Duration, tcp: &mut TcpStream) {
    let read = timeout(time, tcp.read(&mut [0])).await.expect("the end in time");
    assert!(!matches!(read, Ok(1..)));
}

#[tokio::test]
async fn an_address_with_too_many_is_cut_while_others_hold_every_place() {
    let limits = Limits {
        handshakes_max: 2,
        handshakes_per_address_max: 1,
        handshake_timeout: PATIENCE,
        handshake_wait: PATIENCE,
        ..Limits::default()
    };
    let mut hub = hub(limits).await;
    let alice = hub.issue("operator/alice");
    let _second = from_elsewhere(hub.address, 2).await;
    let third = from_elsewhere(hub.address, 3).await;
    let mut waiting = from_elsewhere(hub.address, 4).await;
    // Both places are taken and one waits: two of them have one too many, and are told so at once.
    for last in [2, 4] {
        assert_cut_within(PATIENCE / 2, &mut from_elsewhere(hub.address, last).await).await;
    }
    let early = timeout(Duration::from_millis(1), waiting.read(&mut [0])).await;
    assert!(early.is_err(), "the one that waits does so");
    // A place that is free again is taken in the order of arrival.
    drop(waiting);
    drop(third);
    let _client = hub.connect(client(&hub.ca_pem(), Some(&alice))).await.unwrap();
    assert!(hub.next().await.peer().principal.is_ok());
}

#[tokio::test]
async fn a_connection_that_waits_too_long_for_its_handshake_is_cut() {
    let limits = Limits {
        handshakes_max: 1,
        handshake_timeout: PATIENCE,
        handshake_wait: Duration::from_millis(300),
        ..Limits::default()
    };
    let hub = hub(limits).await;
    let mut first = TcpStream::connect(hub.address).await.unwrap();
    let mut second = TcpStream::connect(hub.address).await.unwrap();
    assert_cut_within(PATIENCE / 2, &mut second).await;
    let early = timeout(Duration::from_millis(1), first.read(&mut [0])).await;
    assert!(early.is_err(), "the one whose handshake began is still under way");
}

#[test]
fn many_addresses_are_needed_to_hold_every_place() {
    let Limits { handshakes_max, handshakes_per_address_max, handshake_wait, handshake_timeout, .. } =
        Limits::default();
    assert!(handshakes_per_address_max * 16 <= handshakes_max);
    // Whoever finds every place held by silent ones outlasts them.
    assert!(handshake_wait >= handshake_timeout);
}

/// The beginning of a greeting that is too long to end in time.
fn endless_hello() -> Vec<u8> {
    let mut bytes = vec![0x16, 0x03, 0x01, 0x40, 0x00, 0x01, 0x00, 0x3f, 0xfc];
    bytes.extend([0x03; 1_000]);
    bytes
}

/// Speaks TLS so slowly that the handshake never ends, from another address of this machine. Answers with the open connection.
async fn slow_client(hub: SocketAddr, greeting: Vec<u8>) -> TcpStream {
    let mut tcp = from_elsewhere(hub, 2).await;
    for byte in greeting {
        // The hub cuts those that are too many, and they hold on all the same.
        let _ = tcp.write_all(&[byte]).await;
        sleep(Duration::from_millis(50)).await;
    }
    tcp
}

#[tokio::test]
async fn one_source_of_slow_and_silent_handshakes_starves_nobody_else() {
    let limits = Limits {
        handshakes_max: 40,
        handshakes_per_address_max: 10,
        handshake_timeout: PATIENCE,
        ..Limits::default()
    };
    let mut hub = hub(limits).await;
    let alice = hub.issue("operator/alice");
    let slow: Vec<_> = (0..60)
        .map(|number| {
            // Every other one says nothing at all, and holds on; the others begin a greeting of 16 KiB.
            let greeting = if number % 2 == 0 { endless_hello() } else { Vec::new() };
            let address = hub.address;
            tokio::spawn(async move {
                let _held = slow_client(address, greeting).await;
                sleep(PATIENCE).await;
            })
        })
        .collect();
    for _ in 0..20 {
        let began = std::time::Instant::now();
        let _client = hub.connect(client(&hub.ca_pem(), Some(&alice))).await.unwrap();
        assert!(hub.next().await.peer().principal.is_ok());
        assert!(began.elapsed() < PATIENCE / 2, "it waited for the slow ones");
    }
    slow.iter().for_each(tokio::task::JoinHandle::abort);
}
