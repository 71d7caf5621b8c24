//! What a service manager hears of a hub, over the socket that it names (ready, alive, stopping), and what a probe that asks is
//! told.
//!
//! Absent: a service manager. The unit's own lines are held by the deployment's tests.

use tempfile::tempdir;
use tokio::net::UnixDatagram;

use crate::harness::PATIENCE;
use crate::program::{Serving, bootstrap, run_ill, run_well, serve, text};

/// Half a second, in the microseconds that a manager writes it in.
const WATCHDOG_MICROS: &str = "500000";

/// The next message that has a line as `wanted`.
async fn hear(socket: &UnixDatagram, wanted: &str) -> String {
    let listen = async {
        loop {
            let mut bytes = [0; 512];
            let length = socket.recv(&mut bytes).await.unwrap();
            let message = text(&bytes[..length]);
            if message.lines().any(|line| line == wanted) {
                return message;
            }
        }
    };
    tokio::time::timeout(PATIENCE, listen).await.unwrap_or_else(|_| panic!("{wanted} is never told"))
}

#[tokio::test]
async fn a_service_manager_hears_when_the_hub_is_ready_alive_and_stopping() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("hub");
    bootstrap(&data);
    let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    let mut command = serve(&data);
    command.args(["--lame-duck-seconds", "0"]);
    command.env("NOTIFY_SOCKET", folder.path().join("notify")).env("WATCHDOG_USEC", WATCHDOG_MICROS);
    let hub = Serving::start_by(command, &data).await;
    let ready = hear(&socket, "READY=1").await;
    assert!(ready.contains(&format!("STATUS=listening on {}", hub.address)), "{ready}");
    for _ in 0..3 {
        hear(&socket, "WATCHDOG=1").await;
    }
    hub.signal("TERM");
    hear(&socket, "STOPPING=1").await;
    assert_eq!(hub.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_manager_that_is_gone_harms_nothing() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("hub");
    bootstrap(&data);
    let mut command = serve(&data);
    command.args(["--lame-duck-seconds", "0"]).env("NOTIFY_SOCKET", folder.path().join("gone"));
    let hub = Serving::start_by(command, &data).await;
    hub.client("operator.wang").await;
    hub.signal("TERM");
    let (log, ended) = hub.end_with_log().await;
    assert_eq!(ended.code(), Some(0));
    assert!(log.contains("the service manager could not be told"), "{log}");
}

/// Where the log says that plain health is served.
fn health_address(log: &str) -> String {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut fields = lines.map(|line| line["fields"].clone());
    let served = fields.find(|fields| fields["message"] == "metrics and plain health are served");
    served.expect(log)["address"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_probe_without_a_certificate_is_told_whether_the_hub_serves() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("hub");
    bootstrap(&data);
    let folder = data.to_str().unwrap();
    let said = run_ill(1, &["health", "--data", folder]);
    assert!(said.contains("set metrics_listen"), "{said}");
    let hub =
        Serving::start_with(&data, &["--metrics-listen", "127.0.0.1:0", "--lame-duck-seconds", "20"]).await;
    let address = health_address(&hub.logged());
    let arguments = ["health", "--data", folder, "--metrics-listen", &address];
    assert_eq!(run_well(&arguments), "the hub serves\n");
    let everywhere = address.replace("127.0.0.1", "0.0.0.0");
    run_well(&["health", "--data", folder, "--metrics-listen", &everywhere]);
    hub.signal("TERM");
    let is_told = async {
        while crate::program::run(&arguments).status.success() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, is_told).await.expect("a hub that goes down says so");
    let said = run_ill(1, &arguments);
    assert!(said.contains("going down"), "{said}");
    hub.kill().await;
    let said = run_ill(1, &arguments);
    assert!(said.contains("nobody answers at") && said.contains("does the hub run?"), "{said}");
}
