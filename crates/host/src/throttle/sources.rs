//! How many connections and TLS handshakes each source address holds at a listener. What is kept is bounded by what is
//! open; who is refused is only looked up.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Who is counted together: an IPv4 address, or the /64 that an IPv6 host usually has to itself (RFC 6177).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Source(u64);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        const V4: u64 = 0xFFFF << 32;
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(V4 | u64::from(u32::from(v4))),
            // 0:ffff:… as a /64 would be inside ::/16, which is not routed.
            IpAddr::V6(v6) => Self((u128::from(v6) >> 64) as u64),
        }
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Held {
    connections: usize,
    handshakes: usize,
}

/// What the source addresses hold at one listener.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    held: Mutex<HashMap<Source, Held>>,
}

impl Sources {
    /// One more connection, if there is room.
    pub(crate) fn connect(self: &Arc<Self>, source: Source, limit: usize) -> Option<Connected> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let before = held.get(&source).map_or(0, |held| held.connections);
        if before >= limit {
            return None;
        }
        held.entry(source).or_default().connections = before + 1;
        Some(Connected { sources: Arc::clone(self), source })
    }

    fn change(&self, source: Source, change: impl FnOnce(&mut Held)) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = held.get_mut(&source) {
            change(entry);
            if entry.connections == 0 && entry.handshakes == 0 {
                held.remove(&source);
            }
        }
    }
}

/// A connection that counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Connected {
    sources: Arc<Sources>,
    pub(crate) source: Source,
}

impl Connected {
    /// A handshake on it, if there is room.
    pub(crate) fn shake_hands(&self, limit: usize) -> Option<ShakingHands> {
        let mut admitted = false;
        self.sources.change(self.source, |held| {
            admitted = held.handshakes < limit;
            held.handshakes += usize::from(admitted);
        });
        admitted.then(|| ShakingHands { sources: Arc::clone(&self.sources), source: self.source })
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.sources.change(self.source, |held| held.connections -= 1);
    }
}

/// A handshake that counts until it is dropped.
#[derive(Debug)]
pub(crate) struct ShakingHands {
    sources: Arc<Sources>,
    source: Source,
}

impl Drop for ShakingHands {
    fn drop(&mut self) {
        self.sources.change(self.source, |held| held.handshakes -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn neighbours_in_a_64_are_one_source() {
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:2"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("192.0.2.1"), source("::ffff:192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
    }

    #[test]
    fn what_is_closed_leaves_nothing_behind() {
        let sources = Arc::new(Sources::default());
        let (one, other) = (source("192.0.2.1"), source("192.0.2.2"));
        let first = sources.connect(one, 2).unwrap();
        let second = sources.connect(one, 2).unwrap();
        assert!(sources.connect(one, 2).is_none());
        assert!(sources.connect(other, 2).is_some(), "others have room of their own");
        let shaking = first.shake_hands(1).unwrap();
        assert!(second.shake_hands(1).is_none());
        drop(first);
        assert!(second.shake_hands(1).is_none(), "the handshake outlives its connection's count");
        drop(shaking);
        assert!(second.shake_hands(1).is_some());
        drop(second);
        assert!(sources.held.lock().unwrap().is_empty());
    }
}
