//! The grammar of endpoints: `tcp://host:port` and `tls://host:port`, where a host is an IPv4 address, an IPv6 address
//! in brackets, or a DNS name.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// Longest DNS name, in bytes (RFC 1035).
const NAME_MAX: usize = 253;

/// An endpoint, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// What carries the bytes.
    pub scheme: Scheme,
    /// The machine.
    pub host: Host,
    /// The port; 0 takes any free one when listening, and cannot be dialled.
    pub port: u16,
}

/// What carries the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain TCP; the link is secured by Noise.
    Tcp,
    /// TLS 1.3 over TCP; the link's proof of identity is bound to it.
    Tls,
}

/// A machine's address or name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name for the resolver.
    Name(String),
}

/// Why a text is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoint {
    /// No `scheme://`.
    #[error("no scheme: write tcp://host:port or tls://host:port")]
    NoScheme,
    /// A scheme that is not known here.
    #[error("unknown scheme {0:?}: tcp and tls are known")]
    UnknownScheme(String),
    /// No `:port` at the end.
    #[error("no port: write host:port")]
    NoPort,
    /// The port is no number from 0 to 65535.
    #[error("bad port {0:?}")]
    BadPort(String),
    /// Not an address, and not a DNS name either.
    #[error("bad host {0:?}: an IPv4 address, an IPv6 address in brackets, or a DNS name is expected")]
    BadHost(String),
}

impl FromStr for Target {
    type Err = BadEndpoint;

    fn from_str(text: &str) -> Result<Self, BadEndpoint> {
        let (scheme, rest) = text.split_once("://").ok_or(BadEndpoint::NoScheme)?;
        let scheme = match scheme {
            "tcp" => Scheme::Tcp,
            "tls" => Scheme::Tls,
            other => return Err(BadEndpoint::UnknownScheme(other.to_owned())),
        };
        let (host, port) = rest.rsplit_once(':').filter(|(_, port)| !port.contains(']')).ok_or(BadEndpoint::NoPort)?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits).ok_or_else(|| BadEndpoint::BadPort(port.to_owned()))?;
        Ok(Self { scheme, host: parse_host(host)?, port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Tcp => "tcp",
            Scheme::Tls => "tls",
        };
        match &self.host {
            Host::Ip(ip) => write!(f, "{scheme}://{}", SocketAddr::new(*ip, self.port)),
            Host::Name(name) => write!(f, "{scheme}://{name}:{}", self.port),
        }
    }
}

fn parse_host(text: &str) -> Result<Host, BadEndpoint> {
    let bad = || BadEndpoint::BadHost(text.to_owned());
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or_else(bad)?;
        return inner.parse().map(|ip| Host::Ip(IpAddr::V6(ip))).map_err(|_| bad());
    }
    if let Ok(ip) = text.parse() {
        return Ok(Host::Ip(IpAddr::V4(ip)));
    }
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let dotted = text.strip_suffix('.').unwrap_or(text);
    // A last label of digits only is a mistyped address, never a name (RFC 1123).
    let numeric = dotted.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if text.len() > NAME_MAX || numeric || !dotted.split('.').all(label_ok) {
        return Err(bad());
    }
    Ok(Host::Name(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_taken_apart() {
        for text in
            ["tcp://10.0.0.1:29090", "tls://[2001:db8::1]:443", "tcp://hk-01.example.com:1", "tcp://localhost:0"]
        {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.to_string(), text);
        }
        let target: Target = "tls://[::1]:7".parse().unwrap();
        assert_eq!(target, Target { scheme: Scheme::Tls, host: Host::Ip("::1".parse().unwrap()), port: 7 });
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_the_reason() {
        let cases = [
            ("10.0.0.1:1", BadEndpoint::NoScheme),
            ("quic://a:1", BadEndpoint::UnknownScheme("quic".to_owned())),
            ("tcp://a", BadEndpoint::NoPort),
            ("tcp://[::1]", BadEndpoint::NoPort),
            ("tcp://a:", BadEndpoint::BadPort(String::new())),
            ("tcp://a:65536", BadEndpoint::BadPort("65536".to_owned())),
            ("tcp://a:+1", BadEndpoint::BadPort("+1".to_owned())),
            ("tcp://::1:1", BadEndpoint::BadHost("::1".to_owned())),
            ("tcp://1.2.3:1", BadEndpoint::BadHost("1.2.3".to_owned())),
            ("tcp://:1", BadEndpoint::BadHost(String::new())),
            ("tcp://a b:1", BadEndpoint::BadHost("a b".to_owned())),
            ("tcp://[10.0.0.1]:1", BadEndpoint::BadHost("[10.0.0.1]".to_owned())),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<Target>(), Err(why), "{text}");
        }
    }
}
