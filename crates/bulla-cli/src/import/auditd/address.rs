//! `saddr=` of a SOCKADDR record: the bytes of a C `struct sockaddr`, in hex.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::fields::hex;

/// The address as `host:port` or as the path of a local socket.
pub(super) fn decode(saddr: &str) -> Option<String> {
    let bytes = hex(saddr)?;
    match bytes.as_slice() {
        // Families as Linux numbers them, in the byte order of x86 and ARM.
        [2, 0, port_high, port_low, a, b, c, d, ..] => {
            let port = u16::from(*port_high) << 8 | u16::from(*port_low);
            Some(SocketAddr::from((Ipv4Addr::new(*a, *b, *c, *d), port)).to_string())
        }
        [10, 0, port_high, port_low, _, _, _, _, address @ ..] => {
            let port = u16::from(*port_high) << 8 | u16::from(*port_low);
            let address: &[u8; 16] = address.first_chunk()?;
            Some(SocketAddr::from((Ipv6Addr::from(*address), port)).to_string())
        }
        // A path ends at its first NUL; what follows is left over from the stack. A
        // leading NUL marks an abstract name, shown with an @ as usual.
        [1, 0, 0, name @ ..] => text(name).map(|name| format!("@{name}")),
        [1, 0, path @ ..] => text(path),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    let name = bytes.split(|byte| *byte == 0).next()?;
    let name = std::str::from_utf8(name).ok()?;
    (!name.is_empty() && !name.contains(char::is_control)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_each_family_are_read() {
        for (saddr, expected) in [
            ("02000050A9FEA9FE0000000000000000", Some("169.254.169.254:80")),
            ("0A000016000000000000000000000000000000000000000100000000", Some("[::1]:22")),
            ("01002F72756E2F782E736F636B00FFFF", Some("/run/x.sock")),
            ("0100002F61627300", Some("@/abs")),
            ("100000000000000000000000", None),
            ("0100", None),
            ("0200", None),
            ("0A0000160000", None),
            ("xyz", None),
            ("", None),
        ] {
            assert_eq!(decode(saddr).as_deref(), expected, "{saddr}");
        }
    }
}
