//! Whether the hub's address answers, or could be taken.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::Finding;

const CHECK: &str = "address";

/// How long an answer may take; a hub under load accepts without a rest.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks the address of a hub that has its database open, and tries to take that of one that has not.
pub(super) fn look(listen: SocketAddr, is_open: bool, findings: &mut Vec<Finding>) {
    findings.push(if is_open { reached(listen) } else { taken(listen) });
}

fn reached(listen: SocketAddr) -> Finding {
    let address = SocketAddr::new(local(listen.ip()), listen.port());
    if listen.port() == 0 {
        return Finding::ok(CHECK, "the port is a free one, which only the hub's own first line tells");
    }
    match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(_) => Finding::ok(CHECK, format!("{address} takes connections")),
        Err(error) => Finding::warn(
            CHECK,
            format!(
                "the database is open, and {address} takes no connection ({error}): does a hub serve on another address, or \
                 does something else read the database?"
            ),
        ),
    }
}

fn taken(listen: SocketAddr) -> Finding {
    match TcpListener::bind(listen) {
        Ok(_) => Finding::ok(CHECK, format!("no hub serves; {listen} can be taken")),
        Err(error) => Finding::fail(
            CHECK,
            format!(
                "{listen} cannot be taken ({error}): stop the program that has it, or choose another with `listen`"
            ),
        ),
    }
}

/// Where this machine reaches what listens on all of its addresses.
fn local(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn an_address_is_asked_or_tried() {
        let there = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = there.local_addr().unwrap();
        let everywhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
        for (listen, is_open, verdict) in
            [(address, true, Verdict::Ok), (everywhere, true, Verdict::Ok), (address, false, Verdict::Fail)]
        {
            let mut found = Vec::new();
            look(listen, is_open, &mut found);
            assert_eq!(found.first().map(|finding| finding.verdict), Some(verdict), "{listen} {is_open}");
        }
        drop(there);
        let mut found = Vec::new();
        look(address, true, &mut found);
        assert_eq!(found.first().map(|finding| finding.verdict), Some(Verdict::Warn));
    }
}
