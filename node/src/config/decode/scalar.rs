//! Single values: what their text must look like.

use std::{net::SocketAddr, ops::RangeInclusive, time::Duration};

use ipnet::IpNet;
use proto_core::id::NodeName;

use crate::{
    config::{Listen, Scheme},
    errors::Code,
};

use super::section::nearest;

/// What is wrong with a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The code.
    pub(super) code: Code,
    /// What is wrong.
    pub(super) message: String,
    /// What to write instead.
    pub(super) label: String,
}

impl Wrong {
    /// What is wrong and what to write instead, in one line.
    pub(super) fn sentence(self) -> String {
        format!("{}; {}", self.message, self.label)
    }
}

/// Says what is wrong.
pub(super) fn wrong(code: Code, message: impl Into<String>, label: impl Into<String>) -> Wrong {
    Wrong { code, message: message.into(), label: label.into() }
}

/// Any text.
#[expect(clippy::unnecessary_wraps, reason = "one of the parsers of single values")]
pub(super) fn text(text: &str) -> Result<String, Wrong> {
    Ok(text.to_owned())
}

/// `true` or `false`.
pub(super) fn boolean(text: &str) -> Result<bool, Wrong> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong(Code::E0104, "expected true or false", "write `true` or `false`")),
    }
}

/// One of a few words.
pub(super) fn word<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&str) -> Result<T, Wrong> {
    move |text| {
        let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let label = match nearest(text, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("one of: {}", names.join(", ")),
            };
            wrong(Code::E0110, format!("`{text}` is not one of {}", names.join(", ")), label)
        })
    }
}

/// A whole number within a range.
pub(super) fn number(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<u64, Wrong> {
    move |text| {
        let value = text.parse::<u64>().map_err(|_| {
            wrong(Code::E0104, "expected a whole number", format!("write for example `{}`", range.start()))
        })?;
        within(value, &range, u64::to_string)
    }
}

/// A fraction within a range, in thousandths.
pub(super) fn per_mille(range: RangeInclusive<u32>) -> impl Fn(&str) -> Result<u32, Wrong> {
    move |text| {
        let bad = || wrong(Code::E0104, "expected a fraction", "write for example `0.3`");
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if fraction.is_empty() || fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        let whole: u32 = whole.parse().map_err(|_| bad())?;
        let fraction: u32 = format!("{fraction:0<3}").parse().map_err(|_| bad())?;
        let value = whole.saturating_mul(1_000).saturating_add(fraction);
        within(value, &range, |value| format!("{}.{}", value / 1_000, value % 1_000 / 100))
    }
}

/// A duration with unit, such as `1m30s`, within a range.
pub(super) fn duration(range: RangeInclusive<Duration>) -> impl Fn(&str) -> Result<Duration, Wrong> {
    move |text| {
        let value = parse_duration(text)?;
        within(value, &range, |value| format!("{value:?}"))
    }
}

/// A duration with unit, such as `1m30s`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, Wrong> {
    const UNITS: [(&str, u64); 7] = [
        ("ns", 1),
        ("us", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ];
    let bad = |message: &str| wrong(Code::E0107, message, "write for example `30s` or `500ms`");
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong(Code::E0107, "duration needs a unit", format!("write `{text}s` or `{text}ms`")));
    }
    let (mut rest, mut total) = (text, 0_u64);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at(digits);
        let letters = behind.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, behind) = behind.split_at(letters);
        let number: u64 = number.parse().map_err(|_| bad("not a duration"))?;
        let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| bad("not a unit of time"))?;
        let part = number.checked_mul(*nanos).ok_or_else(|| bad("the duration is too long"))?;
        total = total.checked_add(part).ok_or_else(|| bad("the duration is too long"))?;
        rest = behind;
    }
    if text.is_empty() { Err(bad("not a duration")) } else { Ok(Duration::from_nanos(total)) }
}

/// A size with unit, such as `64KiB`, within a range.
pub(super) fn size(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<u64, Wrong> {
    const UNITS: [(&str, u64); 7] = [
        ("B", 1),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
    ];
    move |text| {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let bad = |message: &str| wrong(Code::E0108, message, "write for example `64KiB`");
        if digits == 0 {
            return Err(bad("not a size"));
        }
        if unit.is_empty() {
            return Err(wrong(Code::E0108, "size needs a unit", format!("write `{number}KiB` or `{number}B`")));
        }
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| bad("not a unit of size"))?;
        let number: u64 = number.parse().map_err(|_| bad("the size is too large"))?;
        let value = number.checked_mul(*factor).ok_or_else(|| bad("the size is too large"))?;
        within(value, &range, |value| format!("{value}B"))
    }
}

fn within<T: PartialOrd + Copy>(value: T, range: &RangeInclusive<T>, show: impl Fn(&T) -> String) -> Result<T, Wrong> {
    if range.contains(&value) {
        return Ok(value);
    }
    let label = format!("from {} to {}", show(range.start()), show(range.end()));
    Err(wrong(Code::E0109, "the value is out of range", label))
}

/// The name of a node.
pub(super) fn node_name(text: &str) -> Result<NodeName, Wrong> {
    if matches!(text, "." | "..") {
        // A name becomes the name of a file.
        return Err(wrong(Code::E0111, format!("`{text}` is not a name"), "a name needs more than dots"));
    }
    NodeName::new(text).map_err(|why| wrong(Code::E0111, why.to_string(), "letters, digits, `.`, `_` and `-` only"))
}

/// An address or a network.
pub(super) fn network(text: &str) -> Result<IpNet, Wrong> {
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
    let bad = || wrong(Code::E0113, format!("`{text}` is not an IP network"), "write for example `10.0.0.0/8`");
    let net = net.map_err(|_| bad())?;
    if net.trunc() != net {
        return Err(wrong(Code::E0113, "bits are set behind the prefix", format!("did you mean `{}`?", net.trunc())));
    }
    Ok(net)
}

/// An address of this machine.
pub(super) fn socket_addr(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| {
        wrong(Code::E0112, format!("`{text}` is not an address to listen on"), "write for example `127.0.0.1:18081`")
    })
}

/// Where to listen.
pub(super) fn listen(text: &str) -> Result<Listen, Wrong> {
    let (scheme, rest) = scheme(text)?;
    let addr = rest.parse().map_err(|_| {
        wrong(
            Code::E0112,
            format!("`{rest}` is not an IP address with a port"),
            "write for example `tcp://0.0.0.0:29090`",
        )
    })?;
    Ok(Listen { scheme, addr })
}

/// Where to dial: `tcp://host:port`.
pub(super) fn dial(text: &str) -> Result<String, Wrong> {
    let (scheme, rest) = scheme(text)?;
    let bad = |message: String| wrong(Code::E0112, message, "write for example `tcp://hk.example.com:29090`");
    let (host, port) = rest.rsplit_once(':').ok_or_else(|| bad(format!("`{rest}` has no port")))?;
    let port: u16 = port.parse().map_err(|_| bad(format!("`{port}` is not a port")))?;
    let bracketed = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let valid = match bracketed {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')),
    };
    if !valid {
        return Err(bad(format!("`{host}` is not a host")));
    }
    if port == 0 {
        return Err(bad("port 0 cannot be dialled".to_owned()));
    }
    Ok(format!("{}://{rest}", scheme.as_str()))
}

fn scheme(text: &str) -> Result<(Scheme, &str), Wrong> {
    match text.split_once("://") {
        Some(("tcp", rest)) => Ok((Scheme::Tcp, rest)),
        Some(("tls", rest)) => Ok((Scheme::Tls, rest)),
        Some((later @ ("quic" | "kcp" | "udp" | "ws" | "wss"), _)) => Err(wrong(
            Code::E0114,
            format!("`{later}://` is not available in this version"),
            "use `tcp://` or `tls://`",
        )),
        Some((other, _)) => {
            Err(wrong(Code::E0112, format!("`{other}` is not a transport"), "use `tcp://` or `tls://`"))
        }
        None => Err(wrong(Code::E0112, "the address names no transport", format!("write `tcp://{text}`"))),
    }
}
