//! Whom a text names when it is proposed, and what is stored of it.

use beck::protocol::bounds::Unfit;
use beck::protocol::frame::Role;
use beck::protocol::{AccountId, Added};
use beck::server::directory::{Account, Directory};
use beck::server::mentions::{Hints, Resolved, resolve};
use std::collections::BTreeMap;
use std::sync::Arc;

fn directory(handles: &[&str]) -> Directory {
    let mut directory = Directory::default();
    for handle in handles {
        let id = AccountId::random();
        let (name, handle) = (handle.to_uppercase(), (*handle).to_owned());
        let account =
            Account { id, name, handle: handle.clone(), role: Role::Member, status: Default::default() };
        directory.handles.insert(handle, id);
        directory.accounts.insert(id, Arc::new(account));
    }
    directory
}

fn names(directory: &Directory, text: &str, named: &[(&str, AccountId)], before: Option<&Added>) -> Resolved {
    let named = named.iter().map(|(handle, id)| ((*handle).to_owned(), *id)).collect();
    let by = directory.handles["ann"];
    resolve(directory, by, text, Hints { named: &named, before }).unwrap()
}

fn mentions<const N: usize>(pairs: [(&str, AccountId); N]) -> BTreeMap<String, AccountId> {
    pairs.map(|(handle, id)| (handle.to_owned(), id)).into()
}

#[test]
fn a_handle_is_looked_up_and_words_that_are_nobody_are_left_out() {
    let here = directory(&["ann", "bo"]);
    let bo = here.handles["bo"];
    let found = names(&here, "@bo and @Bo, not `@ann` nor @nobody", &[], None);
    assert_eq!(found.added, Added { mentions: mentions([("bo", bo)]), all: false, ..Added::default() });
    assert!(found.unknown, "a newer directory may know @nobody");
    let found = names(&here, "@room: ask @bo", &[], None);
    assert_eq!(
        found,
        Resolved {
            added: Added { mentions: mentions([("bo", bo)]), all: true, ..Added::default() },
            unknown: false
        }
    );
    assert_eq!(names(&here, "mail me at ann@bo.example", &[], None).added, Added::default());
}

#[test]
fn a_hint_counts_only_for_the_handle_that_the_account_has() {
    let mut here = directory(&["ann", "bo", "cleo"]);
    let (bo, cleo) = (here.handles["bo"], here.handles["cleo"]);
    let wrong = names(&here, "@bo", &[("bo", cleo)], None);
    assert_eq!(wrong.added.mentions, mentions([("bo", bo)]));
    let absent = names(&here, "nobody", &[("bo", bo)], None);
    assert_eq!(absent.added.mentions, mentions([]));
    let stranger = names(&here, "@bo", &[("bo", AccountId::random())], None);
    assert_eq!(stranger.added.mentions, mentions([("bo", bo)]));
    // The directory does not say it any more, and the hint still does.
    here.handles.remove("bo");
    assert_eq!(names(&here, "@bo", &[("bo", bo)], None).added.mentions, mentions([("bo", bo)]));
    assert!(names(&here, "@bo", &[], None).unknown);
}

#[test]
fn in_an_edit_a_handle_of_the_text_before_keeps_its_account() {
    let here = directory(&["ann", "bo", "cleo"]);
    let (bo, cleo) = (here.handles["bo"], here.handles["cleo"]);
    let gone = AccountId::random();
    let before = Added { mentions: mentions([("bo", gone), ("dee", gone)]), all: true, ..Added::default() };
    let edited = names(&here, "@bo @cleo", &[("bo", bo)], Some(&before));
    assert_eq!(
        edited.added,
        Added { mentions: mentions([("bo", gone), ("cleo", cleo)]), all: false, ..Added::default() }
    );
}

#[test]
fn more_than_fifty_people_are_refused_with_a_sentence() {
    let handles: Vec<_> = (0..60).map(|n| format!("p{n:02}")).chain(["ann".to_owned()]).collect();
    let here = directory(&handles.iter().map(String::as_str).collect::<Vec<_>>());
    let by = here.handles["ann"];
    let text = |n: usize| handles[..n].iter().map(|handle| format!("@{handle} ")).collect::<String>();
    let hints = Hints { named: &BTreeMap::new(), before: None };
    let most = format!("{} @room @nobody-1 @nobody-2", text(50));
    assert_eq!(resolve(&here, by, &most, hints).unwrap().added.mentions.len(), 50);
    let refused = resolve(&here, by, &text(51), hints).unwrap_err();
    assert_eq!(refused, Unfit::Mentions { people: 51 });
    assert_eq!(
        refused.to_string(),
        "A message can mention 50 people. This one mentions 51. Use @room for everybody."
    );
}
