//! What stays in the log for ever: the forms in which people enter it say so.

use crate::support::server::TestServer;
use beck::ui::components::{FOR_EVER, for_ever_before_five};
use tempfile::tempdir;

/// The note of each field with these names.
fn notes(page: &str, names: &[&str]) -> Vec<bool> {
    let says = |name: &&str| {
        let at = page.find(&format!("id=\"{name}-hint\"")).unwrap();
        page[at..].split("</p>").next().unwrap().contains(FOR_EVER)
    };
    names.iter().map(says).collect()
}

#[tokio::test]
async fn forms_of_names_that_nobody_can_remove_say_so() {
    // From format 5 on names of people and topics can be removed.
    for (number, stays) in [("4", true), ("5", false)] {
        forms_say_so(number, stays).await;
    }
    assert_eq!((for_ever_before_five(4), for_ever_before_five(5)), (FOR_EVER, ""));
}

async fn forms_say_so(number: &str, stays: bool) {
    let folder = tempdir().unwrap();
    let server = TestServer::start_set(folder.path(), &[("BECK_NEWEST_FORMAT", number)]).0;
    let first = server.page("/setup", "").await.2;
    assert_eq!(notes(&first, &["workspace", "name", "handle", "password"]), [true, stays, true, false]);
    let (ada, room) = server.set_up().await;
    let rooms = server.page("/rooms", &ada).await.2;
    assert_eq!(notes(&rooms, &["name", "topic"]), [true, stays]);
    let room = server.page(&format!("/r/{room}"), &ada).await.2;
    let of_topics = room.contains(&format!("data-topics=\"{FOR_EVER}\""));
    assert_eq!(of_topics, stays, "of the command that changes a topic");
}
