//! What the hub tells the service manager that started it, over the socket in `NOTIFY_SOCKET`: ready, stopping, still alive.
//!
//! A manager that asks for nothing is told nothing. What cannot be told is logged and harms nobody. Absent: sockets handed
//! over by the manager; the hub takes its port itself.

use std::net::SocketAddr;

use sd_notify::NotifyState;

/// Signs of life in the time that the manager waits for one.
const SIGNS_PER_WAIT: u32 = 3;

/// Tells that the hub listens, and where.
pub fn tell_ready(address: SocketAddr) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("listening on {address}"))]);
}

/// Tells that the hub was asked to stop: it is not to be started again meanwhile.
pub fn tell_stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("going down")]);
}

/// Gives a sign of life as often as the manager asks for, for as long as it is run. It comes from the threads that serve, so
/// that it stays away where they hang.
pub async fn show_life() {
    let Some(wait) = sd_notify::watchdog_enabled() else { return };
    let Some(pause) = wait.checked_div(SIGNS_PER_WAIT).filter(|pause| !pause.is_zero()) else { return };
    let mut ticks = tokio::time::interval(pause);
    loop {
        ticks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(what: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(what) {
        tracing::warn!(%error, "the service manager could not be told: is its socket in NOTIFY_SOCKET still there?");
    }
}
