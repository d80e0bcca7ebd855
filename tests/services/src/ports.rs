//! Free ports of 127.0.0.1 that stay ours while their server is down.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use crate::Error;

/// Below the ports that systems give to outgoing connections: a client that reconnects to a server that
/// was killed would otherwise get the server's port as its own some day, and talk to itself.
const FIRST: u16 = 20_000;
const PAIRS: u16 = 6_000;

/// A port that no other server of any test gets.
///
/// Ports handed out are even. Who has one holds the UDP port above it, which nothing else uses: a claim
/// that all processes see, and that ends with its process, however that ends.
#[derive(Debug)]
pub(crate) struct Port {
    address: SocketAddr,
    _claim: UdpSocket,
}

impl Port {
    /// Finds one.
    pub(crate) fn claim() -> Result<Self, Error> {
        // Anywhere, so that processes which begin at once don't all try the same.
        let anywhere = RandomState::new().build_hasher().finish();
        let start = u16::try_from(anywhere % u64::from(PAIRS)).unwrap_or(0);
        (0..PAIRS)
            .map(|n| FIRST + (start + n) % PAIRS * 2)
            .find_map(Self::try_claim)
            .ok_or_else(|| Error::at("looking for a free port")("all are taken"))
    }

    fn try_claim(number: u16) -> Option<Self> {
        let _claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, number + 1)).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self {
            address: (Ipv4Addr::LOCALHOST, number).into(),
            _claim,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::TcpListener;

    use super::Port;

    fn nap() -> bool {
        std::thread::sleep(std::time::Duration::from_millis(5));
        false
    }

    #[test]
    fn a_port_is_free_and_nobody_elses_until_it_is_dropped() {
        let claimed: Vec<Port> = (0..100).map(|_| Port::claim().unwrap()).collect();
        let numbers: BTreeSet<u16> = claimed.iter().map(|port| port.address().port()).collect();
        assert_eq!(numbers.len(), claimed.len());
        for port in claimed {
            drop(TcpListener::bind(port.address()).unwrap());
            // Nobody listens, and it is taken all the same.
            let number = port.address().port();
            assert!(Port::try_claim(number).is_none());
            drop(port);
            // A process that another thread starts has our sockets until it becomes another program.
            assert!((0..1000).any(|_| Port::try_claim(number).is_some() || nap()));
        }
    }
}
