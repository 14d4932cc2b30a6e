//! "The order of refusals" and "The operator": accounts, settings, logins, the workspace's name.

use super::log::{Log, account};
use super::scene::scene;
use beck::protocol::frame::Role;
use beck::server::fold::FoldError;

#[test]
fn a_second_workspace_entry_is_taken_whatever_its_form() {
    scene().each(&[
        ("op workspace - - -", r#"{"id":"wwwwwwwwww","name":"Works","format":5}"#, "taken"),
        ("ann workspace general #1 text", "x", "taken"),
    ]);
}

#[test]
fn a_log_of_format_5_begins_with_the_operators_entry_in_exactly_its_form() {
    let body = r#"0011223344556677{"id":"wwwwwwwwww","name":"Works","format":5}"#;
    for (words, body) in [
        ("ann workspace - - -", Some(body)),
        ("op workspace general - -", Some(body)),
        ("op workspace - - -", Some(r#"0011223344556677{"id":"wwwwwwwwww","name":"Works","format":5 }"#)),
        ("op workspace - - -", Some(r#"0011223344556677{"name":"Works","id":"wwwwwwwwww","format":5}"#)),
        ("op workspace - - -", None),
        ("op account - ann -", Some(r#"0011223344556677{"handle":"ann"}"#)),
    ] {
        assert!(matches!(Log::empty().fold(words, body), Err(FoldError::NoWorkspace)), "{words} {body:?}");
    }
}

#[test]
fn accounts() {
    let mut log = scene();
    log.each(&[
        // Form before taken: the operator's id, another author, a header word too many, another body.
        ("op account - op -", r#"{"handle":"ann"}"#, "malformed"),
        ("op account - op -", r#"{"handle":"new"}"#, "malformed"),
        ("bob account - ann -", r#"{"handle":"ann"}"#, "malformed"),
        ("ann account general ann -", r#"{"handle":"ann"}"#, "malformed"),
        ("ann account - - -", r#"{"handle":"ann"}"#, "malformed"),
        ("ann account - ann -", r#"{"handle":"Ann"}"#, "malformed"),
        ("dan account - dan -", r#"{"handle":"room"}"#, "malformed"),
        ("dan account - dan -", r#"{"handle":"dan","role":"member"}"#, "malformed"),
        // Taken before not allowed: the id, the handle.
        ("ann account - ann -", r#"{"handle":"new","role":"owner"}"#, "taken"),
        ("dan account - dan -", r#"{"handle":"ann","role":"owner"}"#, "taken"),
        ("op account - ann -", r#"{"handle":"new"}"#, "taken"),
        ("dan account - dan -", r#"{"handle":"dan","role":"owner"}"#, "not_allowed"),
        ("dan account - dan -", r#"{"name":"Dan","handle":"dan","role":"owner"}"#, "not_allowed"),
        ("dan account - dan -", r#"{"handle":"dan"}"#, "ok"),
    ]);
    let directory = log.directory();
    let dan = &directory.accounts[&account("dan")];
    assert_eq!((dan.name.as_str(), dan.role), ("dan", Role::Member));
    assert_eq!(directory.accounts[&account("olga")].role, Role::Owner);
}

#[test]
fn an_account_in_the_old_form_has_its_name_until_an_entry_sets_one() {
    let mut log = scene();
    log.ok("dan account - dan -", r#"{"name":"Dan D","handle":"dan","role":"member"}"#);
    let name = |log: &Log| log.directory().accounts[&account("dan")].name.clone();
    assert_eq!(name(&log), "Dan D");
    log.ok("dan account.set - dan name", r#"{"value":"Daniel"}"#);
    assert_eq!(name(&log), "Daniel");
    // Taken away: never an older name.
    log.ok("op account.set - dan name", r#"{"value":null}"#);
    assert_eq!(name(&log), "dan");
    log.ok("dan account.set - dan name", r#"{"value":"Danny"}"#);
    assert_eq!(log.raw("dan account.set - dan name", None), "ok");
    assert_eq!(name(&log), "dan");
}

#[test]
fn settings_of_accounts() {
    let mut log = scene();
    log.each(&[
        // Form before an unknown account.
        ("ann account.set - dan -", r#"{"value":"A"}"#, "malformed"),
        ("ann account.set - dan field:4", r#"{"value":"A"}"#, "malformed"),
        ("ann account.set general dan name", r#"{"value":"A"}"#, "malformed"),
        ("ann account.set - dan role", r#"{"value":"member"}"#, "malformed"),
        // An unknown account before the permission.
        ("ann account.set - dan role", r#"{"value":"owner"}"#, "not_found"),
        ("ann account.set - dan name", r#"{"value":"A"}"#, "not_found"),
        ("op account.set - dan name", r#"{"value":"A"}"#, "not_found"),
        ("op account.set - op name", r#"{"value":"A"}"#, "not_found"),
        ("ann account.set - ann role", r#"{"value":"owner"}"#, "not_allowed"),
        ("olga account.set - ann role", r#"{"value":"owner"}"#, "not_allowed"),
        ("olga account.set - ann name", r#"{"value":"A"}"#, "not_allowed"),
        ("dan account.set - ann name", r#"{"value":"A"}"#, "not_allowed"),
        ("ann account.set - ann name", r#"{"value":"Ann"}"#, "ok"),
        ("op account.set - bob name", r#"{"value":"Bob"}"#, "ok"),
        ("op account.set - cat role", r#"{"value":"owner"}"#, "ok"),
    ]);
    for slot in ["title", "pronouns", "zone", "field:1", "field:2", "field:3", "status"] {
        // The form of a body that can be erased is no reason.
        log.ok(&format!("ann account.set - ann {slot}"), "{what}");
        assert_eq!(log.raw(&format!("ann account.set - ann {slot}"), None), "ok");
    }
    let directory = log.directory();
    let name = |who| directory.accounts[&account(who)].name.clone();
    assert_eq!((name("ann"), name("bob")), ("Ann".into(), "Bob".into()));
    assert_eq!(directory.accounts[&account("cat")].role, Role::Owner);
}

#[test]
fn a_status_is_read_from_its_draft() {
    let mut log = scene();
    let text = |log: &Log| log.directory().accounts[&account("ann")].status.text.clone();
    log.ok("ann account.set - ann status", r#"{"value":{"text":"at lunch"}}"#);
    assert_eq!(text(&log), "at lunch");
    log.ok("ann account.set - ann status", r#"{"value":null}"#);
    assert_eq!(text(&log), "");
}

#[test]
fn the_workspaces_name() {
    let mut log = scene();
    log.each(&[
        ("ann workspace.set - - title", r#"{"value":"N"}"#, "malformed"),
        ("ann workspace.set - ann name", r#"{"value":"N"}"#, "malformed"),
        ("olga workspace.set - - name", r#"{"value":"N"}"#, "not_allowed"),
        ("op workspace.set - - name", r#"{"value":"New name"}"#, "ok"),
    ]);
    assert_eq!(log.directory().workspace.as_ref().unwrap().name, "New name");
    log.ok("op workspace.set - - name", r#"{"value":null}"#);
    assert_eq!(log.directory().workspace.as_ref().unwrap().name, "Works");
}

#[test]
fn logins() {
    scene().each(&[
        ("ann logins - dan -", r#"{}"#, "malformed"),
        ("ann logins - dan name", "null", "malformed"),
        ("ann logins - dan -", "null", "not_found"),
        ("olga logins - ann -", "null", "not_allowed"),
        ("ann logins - ann -", "null", "ok"),
        ("op logins - ann -", "null", "ok"),
    ]);
}

#[test]
fn an_unknown_kind_changes_nothing_and_is_accepted_of_everybody() {
    scene().each(&[
        ("ann sticker general #9 what", "x", "ok"),
        ("op sticker - - -", "", "ok"),
        ("dan sticker - - -", "", "ok"),
    ]);
}
