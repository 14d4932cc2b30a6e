//! What `beck serve` tells of the addresses by which others reach it.

use beck::server::addresses::{of_interfaces, qr_code, reachable, start_lines};
use beck::server::config::Config;
use std::net::IpAddr;

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn addresses_that_others_can_type_come_best_first() {
    let interfaces = ips(&[
        "127.0.0.1",
        "::1",
        "fe80::1",
        "2001:db8::7",
        "fd00::7",
        "169.254.3.4",
        "203.0.113.9",
        "172.17.0.1",
        "192.168.1.20",
        "192.168.1.20",
    ]);
    let all = reachable("0.0.0.0:8080".parse().unwrap(), &interfaces, None);
    assert_eq!(
        all,
        [
            "http://172.17.0.1:8080",
            "http://192.168.1.20:8080",
            "http://203.0.113.9:8080",
            "http://169.254.3.4:8080"
        ]
    );
    let both = reachable("[::]:81".parse().unwrap(), &interfaces, "192.168.1.20".parse().ok());
    assert_eq!(both[0], "http://192.168.1.20:81", "the one that speaks to the world is before a bridge's");
    assert_eq!(both.len(), 6);
    assert_eq!(both[4..], ["http://[fd00::7]:81", "http://[2001:db8::7]:81"]);
    let unknown = "10.9.9.9".parse().ok();
    assert_eq!(reachable("0.0.0.0:8080".parse().unwrap(), &interfaces, unknown), all);
    assert!(reachable("127.0.0.1:8080".parse().unwrap(), &interfaces, None).is_empty());
    assert!(reachable("192.168.1.20:8080".parse().unwrap(), &interfaces, None).is_empty());
}

/// Reads a code of half blocks as a camera would that sees light letters on a dark ground.
fn read_code(lines: &[&str]) -> String {
    let cells: Vec<Vec<char>> = lines.iter().map(|line| line.chars().collect()).collect();
    let (width, height) = (cells[0].len(), cells.len() * 2);
    assert!(cells.iter().all(|line| line.len() == width), "the lines are of one length");
    let scale = 4;
    let dark = |x: usize, y: usize| {
        let cell = cells[y / 2][x];
        !(cell == '█' || cell == if y.is_multiple_of(2) { '▀' } else { '▄' })
    };
    let grey = |x: usize, y: usize| if dark(x / scale, y / scale) { 0 } else { 255 };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width * scale, height * scale, grey);
    let found = image.detect_grids();
    assert_eq!(found.len(), 1, "there is one code:\n{}", lines.join("\n"));
    found[0].decode().unwrap().1
}

#[test]
fn a_code_says_the_address() {
    for address in ["http://192.168.1.20:8080", "https://chat.example.org", "http://[2001:db8::7]:8080"] {
        let code = qr_code(address).unwrap();
        assert_eq!(read_code(&code.lines().collect::<Vec<_>>()), address);
        assert!(code.lines().next().unwrap().chars().count() <= 41, "it fits into a small terminal");
    }
    assert_eq!(qr_code(&"x".repeat(10_000)), None);
}

fn lines(settings: &[(&str, &str)], listening: &str, terminal: bool) -> Vec<String> {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    start_lines(&Config::from_settings(&settings).unwrap(), listening.parse().unwrap(), terminal)
}

fn code_of(lines: &[String]) -> Vec<&str> {
    let drawn = |line: &&str| line.contains(['█', '▀', '▄']);
    lines.iter().map(String::as_str).filter(drawn).collect()
}

#[test]
fn the_start_tells_others_only_what_they_can_use() {
    assert!(lines(&[("QR", "yes")], "127.0.0.1:8080", true).is_empty(), "nobody else reaches loopback");
    assert!(lines(&[("QR", "yes")], "[::1]:8080", true).is_empty());

    let public = [("PUBLIC_URL", "https://chat.example.org"), ("QR", "yes")];
    let said = lines(&public, "0.0.0.0:8080", false);
    assert_eq!(read_code(&code_of(&said)), "https://chat.example.org");
    assert_eq!(said.last().unwrap(), "https://chat.example.org");
    assert_eq!(said.len(), code_of(&said).len() + 1, "forms would refuse a page under another address");

    let own = of_interfaces().unwrap();
    assert!(own.iter().any(IpAddr::is_loopback), "{own:?}");
    let said = lines(&[], "0.0.0.0:8080", false);
    for ip in own.iter().filter(|ip| ip.is_ipv4() && !ip.is_loopback()) {
        assert!(said.contains(&format!("  http://{ip}:8080")), "{ip} is missing in {said:?}");
    }
    assert!(!said.iter().any(|line| line.contains("127.0.0.1")));
    assert!(
        lines(&[("QR", "no")], "0.0.0.0:8080", true).is_empty(),
        "as in a container, whose address is its own"
    );
}

#[test]
fn a_code_is_for_terminals_or_for_those_who_ask() {
    let public = ("PUBLIC_URL", "https://chat.example.org");
    for (setting, terminal, shown) in [
        ("", false, false),
        ("", true, true),
        ("auto", true, true),
        ("no", true, false),
        ("yes", false, true),
    ] {
        let said = lines(&[public, ("QR", setting)], "0.0.0.0:8080", terminal);
        assert_eq!(!code_of(&said).is_empty(), shown, "QR={setting:?}, terminal {terminal}");
    }
    let coloured = lines(&[public], "[::]:8080", true);
    let plain: Vec<_> = coloured.iter().filter_map(|line| line.strip_prefix("\x1b[97;40m")).collect();
    let plain: Vec<_> = plain.iter().filter_map(|line| line.strip_suffix("\x1b[0m")).collect();
    assert_eq!(read_code(&plain), "https://chat.example.org");
}
