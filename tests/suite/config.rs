//! Settings: every bad one is named at once, and no secret is repeated.

use beck::server::config::Config;
use beck::server::origin;
use std::collections::HashMap;

fn read(settings: &[(&str, &str)]) -> Result<Config, String> {
    let settings: HashMap<_, _> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::from_settings(&settings).map_err(|fault| fault.to_string())
}

#[test]
fn nothing_set_is_a_server_on_loopback() {
    let config = read(&[]).unwrap();
    assert_eq!(config.address.to_string(), "127.0.0.1:8080");
    assert_eq!(config.data_dir.to_str(), Some("data"));
    assert_eq!(read(&[("PORT", " "), ("IP", "")]).unwrap(), config, "empty is not set");
}

/// The server of `dx serve` stands before this one, whose host it names, and the pages come from it.
#[test]
fn under_dx_serve_forms_come_from_its_address() {
    let from = |origin: &'static str| {
        let headers = [("origin", origin), ("host", "127.0.0.1:43199")];
        headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    };
    let dev = read(&[("DIOXUS_DEVSERVER_IP", "127.0.0.1"), ("DIOXUS_DEVSERVER_PORT", "8080")]).unwrap();
    for (origin, by_dev, by_itself) in [
        ("http://127.0.0.1:8080", true, false),
        ("http://localhost:8080", true, false),
        ("http://127.0.0.1:43199", true, true),
        ("http://127.0.0.1:8081", false, false),
        ("https://127.0.0.1:8080", false, false),
    ] {
        assert_eq!(origin::check(&dev, &from(origin), false).is_ok(), by_dev, "{origin}");
        assert_eq!(origin::check(&read(&[]).unwrap(), &from(origin), false).is_ok(), by_itself, "{origin}");
    }
}

#[test]
fn every_bad_variable_is_named_with_what_it_should_be() {
    let fault = read(&[
        ("IP", "nowhere"),
        ("PORT", "99999"),
        ("PUBLIC_URL", "chat.example.org/path"),
        ("ALLOWED_ORIGINS", "https://a.example, ftp://b.example"),
        ("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/40"),
        ("QR", "maybe"),
        ("LOG_FORMAT", "xml"),
    ])
    .unwrap_err();
    for name in [
        "IP must",
        "PORT must",
        "PUBLIC_URL must",
        "ALLOWED_ORIGINS must",
        "TRUSTED_PROXIES must",
        "QR must",
        "LOG_FORMAT must",
    ] {
        assert!(fault.contains(name), "{name} is missing in: {fault}");
    }
}

#[test]
fn a_redis_address_is_read_from_a_url_or_from_parts() {
    let url =
        read(&[("REDIS_URL", "rediss://ann:s%40crit@cache.example:7000/3"), ("REDIS_CA_FILE", "ca.pem")]);
    let of_url = url.unwrap().redis.unwrap();
    assert_eq!((of_url.address().as_str(), of_url.database, of_url.tls), ("cache.example:7000", 3, true));
    assert_eq!((of_url.username.as_deref(), of_url.password.as_deref()), (Some("ann"), Some("s@crit")));
    assert!(!format!("{of_url:?}").contains("s@crit"));
    let parts = [
        ("REDIS_HOST", "cache.example"),
        ("REDIS_PORT", "7000"),
        ("REDIS_USERNAME", "ann"),
        ("REDIS_PASSWORD", "s@crit"),
        ("REDIS_TLS", "true"),
        ("REDIS_CA_FILE", "ca.pem"),
    ];
    let of_parts = read(&parts).unwrap().redis.unwrap();
    assert_eq!((of_parts.database, of_parts.prefix.as_str()), (0, "beck"));
    assert_eq!(beck::server::broker::redis::RedisSettings { database: 3, ..of_parts }, of_url);
    assert_eq!(read(&[("REDIS_HOST", "h"), ("REDIS_PREFIX", "two")]).unwrap().redis.unwrap().prefix, "two");
    assert_eq!(read(&[("REDIS_PREFIX", "two")]).unwrap().redis, None);
}

#[test]
fn a_wrong_redis_setting_is_named_in_words_that_hold_no_secret() {
    let wrong = |settings: &[(&str, &str)], says: &str| {
        let fault = read(settings).unwrap_err();
        assert!(fault.contains(says) && !fault.contains("hunter2"), "{fault}");
    };
    wrong(&[("REDIS_URL", "http://:hunter2@host")], "REDIS_URL must look like redis://");
    wrong(&[("REDIS_URL", "redis://:hunter2@host:notaport")], "REDIS_URL must look like redis://");
    wrong(&[("REDIS_URL", "unix:///hunter2")], "REDIS_URL must look like redis://");
    wrong(&[("REDIS_URL", "rediss://h/#insecure")], "REDIS_URL must not end in #insecure");
    wrong(&[("REDIS_URL", "redis://:hunter2@host"), ("REDIS_PORT", "x")], "REDIS_PORT must");
    wrong(
        &[("REDIS_URL", "redis://:hunter2@host"), ("REDIS_HOST", "x")],
        "REDIS_HOST is set beside REDIS_URL",
    );
    wrong(&[("REDIS_PASSWORD", "hunter2")], "REDIS_PASSWORD is set, but no address");
    wrong(
        &[("REDIS_URL", "redis://host"), ("REDIS_CA_FILE", "ca.pem")],
        "REDIS_CA_FILE is set, but REDIS_TLS",
    );
    wrong(&[("REDIS_HOST", "host"), ("REDIS_PREFIX", "a{b}")], "REDIS_PREFIX must");
}

#[test]
fn origins_are_written_as_browsers_write_them() {
    let config = read(&[("PUBLIC_URL", "HTTPS://Chat.Example.org:443/")]).unwrap();
    assert_eq!(config.public_url.unwrap().as_str(), "https://chat.example.org");
}

/// For tests that start servers of several versions.
#[test]
fn the_newest_format_of_a_server_is_one_that_this_version_knows() {
    use beck::protocol::Format;
    assert_eq!(read(&[]).unwrap().newest_format, Format::NEWEST);
    for (number, format) in [("1", Format::One), ("4", Format::Four), ("5", Format::Five)] {
        assert_eq!(read(&[("BECK_NEWEST_FORMAT", number)]).unwrap().newest_format, format);
    }
    for wrong in ["0", "05", "+5", "6", "five", "4294967301"] {
        let fault = read(&[("BECK_NEWEST_FORMAT", wrong)]).unwrap_err();
        assert!(fault.contains("BECK_NEWEST_FORMAT must be the number of a format"), "{wrong}: {fault}");
    }
}
