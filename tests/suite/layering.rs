//! The import rule of src/lib.rs, read from the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Path below src, and the lines of code.
fn all() -> Vec<(String, Vec<String>)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&src, &mut paths);
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        (name, code.map(str::to_owned).collect())
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn modules_import_only_what_the_map_allows() {
    let rules: [(&str, &[&str]); 6] = [
        ("protocol", &["protocol"]),
        ("timeline", &["protocol", "text", "timeline"]),
        ("text", &["protocol", "text"]),
        ("client", &["protocol", "timeline", "text", "api", "client", "ui::dom"]),
        ("ui", &["protocol", "timeline", "text", "api", "client", "ui"]),
        ("server", &["protocol", "timeline", "text", "api", "server"]),
    ];
    let mut checked = 0;
    for (name, lines) in all() {
        let Some((_, allowed)) = rules.iter().find(|(module, _)| name.starts_with(&format!("{module}/")))
        else {
            continue;
        };
        for line in lines {
            for used in line.split("crate::").skip(1) {
                let fits = allowed.iter().any(|module| used.starts_with(module));
                let router = name == "server/router.rs" && used.starts_with("ui::App");
                assert!(fits || router, "src/{name} imports crate::{used}");
                checked += 1;
            }
        }
    }
    assert!(checked > 60, "only {checked} imports were looked at");
}

#[test]
fn crates_stay_where_they_belong() {
    let mut seen = 0;
    for (name, lines) in all() {
        let code = lines.join("\n");
        seen += 1;
        if name.starts_with("protocol/") || name.starts_with("timeline/") || name.starts_with("text/") {
            assert!(!code.contains("dioxus") && !code.contains("tokio"), "src/{name} is not pure");
        }
        if name != "server/broker/redis.rs" && !name.starts_with("server/broker/redis/") {
            let ours = code.replace("broker::redis::", "");
            assert!(!ours.contains("redis::"), "src/{name} uses the redis crate");
        }
        if name.starts_with("client/") && name != "client/engine.rs" && !name.starts_with("client/platform/")
        {
            assert!(!code.contains("use dioxus"), "src/{name} uses dioxus");
        }
        for line in &lines {
            let inline_style = line.starts_with("style:") || line.contains(" style: \"");
            assert!(!inline_style, "src/{name} has an inline style, which the CSP forbids");
            assert!(!line.contains("dangerous_inner_html"), "src/{name} writes HTML");
            if let Some(key) = line.strip_prefix("#[cfg(").or_else(|| line.strip_prefix("#![cfg(")) {
                let known = ["feature = \"server\"", "not(feature = \"server\")", "unix", "not(unix)"];
                let known = known.iter().any(|known| key.starts_with(known)) || key.contains("target_arch");
                assert!(known, "src/{name} has a third cfg key: {key}");
            }
        }
    }
    assert!(seen > 40);
}

/// A `Reader` reads every room. Only the fold and the state file's own module have one; everything else gets a `Member` or
/// a `Scope`.
#[test]
fn only_members_read_the_rows_of_a_room() {
    let is_inner = |name: &str| {
        ["server/state.rs", "server/fold.rs"].contains(&name)
            || name.starts_with("server/state/")
            || name.starts_with("server/fold/")
    };
    // Files of other kinds, and `beck verify`, which reads a state file that no server has open.
    let own_files = ["client/platform/native/disk.rs", "server/broker/embedded/", "server/commands/verify"];
    let (mut inner, mut opened) = (0, 0);
    for (name, lines) in all() {
        for line in lines {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            let reader = words.any(|word| word == "Reader") && !name.starts_with("server/broker/archive");
            inner += usize::from(reader && is_inner(&name));
            assert!(!reader || is_inner(&name), "src/{name} reads rooms without being a member: {line}");
            let unasked = line.contains("read_anything") && name != "server/state.rs";
            assert!(!unasked, "src/{name} reads as only tests may: {line}");
            let opens = line.contains("Connection::open(") || line.contains("Connection::open_with_flags(");
            let own = own_files.iter().any(|own| name.starts_with(own)) || name == "server/state.rs";
            opened += usize::from(opens);
            assert!(!opens || own, "src/{name} opens a database by itself: {line}");
        }
    }
    assert!(inner > 10 && opened > 2, "{inner} readers and {opened} databases were looked at");
}

#[test]
fn every_icon_that_is_named_is_in_the_sprite_and_no_other() {
    let sprite = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/icons.svg");
    let sprite = fs::read_to_string(sprite).unwrap();
    let mut named = BTreeSet::new();
    for (name, lines) in all() {
        for line in lines.iter().filter(|line| !line.contains("fn icon(")) {
            for (before, rest) in
                line.match_indices("icon(").map(|(at, it)| (&line[..at], &line[at + it.len()..]))
            {
                if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                let icon = rest.strip_prefix('"').and_then(|rest| rest.split('"').next());
                let icon = icon
                    .unwrap_or_else(|| panic!("src/{name}: script/icons finds only literal names: {line}"));
                named.insert(icon.to_owned());
            }
        }
    }
    let drawn: BTreeSet<_> = sprite
        .split("<symbol id=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    assert!(named.len() > 20, "only {} icons were found", named.len());
    assert_eq!(drawn, named, "assets/icons.svg does not fit the sources: run script/icons");
}
