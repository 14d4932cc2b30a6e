//! By which addresses others reach a server that listens on all of them, and a QR code of the best one.

use super::config::Config;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// The addresses of this machine's interfaces.
pub fn of_interfaces() -> std::io::Result<Vec<IpAddr>> {
    Ok(if_addrs::get_if_addrs()?.iter().map(if_addrs::Interface::ip).collect())
}

/// The address from which this machine speaks to the world, which its neighbours reach most likely: a virtual
/// bridge may have the more usual number. Nothing is sent; the address asked for belongs to nobody (RFC 5737).
pub fn outgoing() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
}

/// What others can type to reach a server that listens on `listening`, the best first. Empty if it does not
/// listen on all addresses.
pub fn reachable(listening: SocketAddr, interfaces: &[IpAddr], outgoing: Option<IpAddr>) -> Vec<String> {
    let unspecified = listening.ip();
    if !unspecified.is_unspecified() {
        return Vec::new();
    }
    // A socket on :: takes both families; one on 0.0.0.0 only its own.
    let taken = |ip: &&IpAddr| unspecified.is_ipv6() || ip.is_ipv4();
    let mut found: Vec<_> =
        interfaces.iter().filter(taken).filter_map(|ip| Some((rank(*ip)?, *ip))).collect();
    found.sort_by_key(|(rank, ip)| (Some(*ip) != outgoing, *rank, *ip));
    found.dedup();
    found.iter().map(|(_, ip)| format!("http://{}", SocketAddr::new(*ip, listening.port()))).collect()
}

/// The smaller, the sooner a person should try it; `None` for what cannot be reached from elsewhere, or not
/// typed into a browser: an IPv6 address of one link needs the name of an interface beside it.
fn rank(ip: IpAddr) -> Option<u8> {
    match ip {
        IpAddr::V4(ip) if ip.is_loopback() || ip.is_unspecified() => None,
        IpAddr::V4(ip) if ip.is_link_local() => Some(2),
        IpAddr::V4(ip) => Some(u8::from(!ip.is_private())),
        IpAddr::V6(ip) if ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local() => None,
        IpAddr::V6(ip) => Some(if ip.is_unique_local() { 3 } else { 4 }),
    }
}

/// An address as a QR code of half blocks, for light letters on a dark ground: what is drawn are the light
/// modules. `None` if it is too long for one.
pub fn qr_code(address: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(address, EcLevel::L).ok()?;
    let drawn = code.render().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    Some(drawn)
}

/// What the start says of the addresses, a line each; nothing if the server does not listen on all of them, or was told to
/// say none: a container has an address that nobody outside can use.
pub fn start_lines(config: &Config, listening: SocketAddr, terminal: bool) -> Vec<String> {
    if !listening.ip().is_unspecified() || config.qr == Some(false) {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let best = match &config.public_url {
        // With it, forms and sockets of a page under another address are refused: no other is worth a try.
        Some(url) => Some(url.as_str().to_owned()),
        None => {
            let interfaces = of_interfaces().unwrap_or_else(|fault| {
                lines.push(format!(
                    "The addresses of this machine cannot be read: {fault}. Look them up in its network settings."
                ));
                Vec::new()
            });
            let found = reachable(listening, &interfaces, outgoing());
            if !found.is_empty() {
                lines.push("Others in your network reach it here:".to_owned());
            }
            lines.extend(found.iter().map(|address| format!("  {address}")));
            found.into_iter().next()
        }
    };
    if config.qr.unwrap_or(terminal)
        && let Some(best) = best
        && let Some(code) = qr_code(&best)
    {
        // Many cameras read no code whose light and dark are exchanged: the terminal's own colours must not count.
        let (begin, end) = if terminal { ("\x1b[97;40m", "\x1b[0m") } else { ("", "") };
        lines.extend(code.lines().map(|line| format!("{begin}{line}{end}")));
        lines.push(best);
    }
    lines
}
