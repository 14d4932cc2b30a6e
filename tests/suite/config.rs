//! Settings: every bad one is named at once, and no secret is repeated.

use beck::server::config::Config;
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

#[test]
fn every_bad_variable_is_named_with_what_it_should_be() {
    let fault = read(&[
        ("IP", "nowhere"),
        ("PORT", "99999"),
        ("PUBLIC_URL", "chat.example.org/path"),
        ("ALLOWED_ORIGINS", "https://a.example, ftp://b.example"),
        ("QR", "maybe"),
        ("LOG_FORMAT", "xml"),
    ])
    .unwrap_err();
    for name in
        ["IP must", "PORT must", "PUBLIC_URL must", "ALLOWED_ORIGINS must", "QR must", "LOG_FORMAT must"]
    {
        assert!(fault.contains(name), "{name} is missing in: {fault}");
    }
}

#[test]
fn a_redis_setting_is_refused_in_words_that_hold_no_secret() {
    let fault = read(&[("REDIS_URL", "redis://:hunter2-secret@host"), ("REDIS_PORT", "x")]).unwrap_err();
    assert!(fault.contains("cannot use Redis yet") && fault.contains("REDIS_PORT must"), "{fault}");
    assert!(!fault.contains("hunter2"));
    let fault = read(&[("REDIS_PASSWORD", "hunter2-secret")]).unwrap_err();
    assert!(fault.contains("REDIS_PASSWORD is set") && !fault.contains("hunter2"), "{fault}");
}

#[test]
fn origins_are_written_as_browsers_write_them() {
    let config = read(&[("PUBLIC_URL", "HTTPS://Chat.Example.org:443/")]).unwrap();
    assert_eq!(config.public_url.unwrap().as_str(), "https://chat.example.org");
}
