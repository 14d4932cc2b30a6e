//! Leaving a room by its form: where one arrives, what one still sees, and that the last one may go too.

use crate::support::server::TestServer;
use beck::protocol::ClientId;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_room_can_be_left_by_anybody_and_entered_again() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (owner, general) = server.set_up().await;
    let guest = server.sign_up(&owner, &general, "guest").await;
    let (status, _, made) = server.form("/rooms", &owner, &[("name", "Side room")]).await;
    assert_eq!(status, 303);
    let join = format!("{made}/join");
    assert_eq!(server.form(&join, &guest, &[]).await.2, made);
    let id = ClientId::random().to_string();
    let fields = [("client_id", id.as_str()), ("text", "words that stay")];
    assert_eq!(server.form(&format!("{made}/post"), &guest, &fields).await.0, 303);

    // First its maker, then the last one in it.
    let leave = format!("{made}/leave");
    for (who, cookie, left) in [("owner", &owner, 1), ("guest", &guest, 0)] {
        let (status, _, location) = server.form(&leave, cookie, &[]).await;
        assert_eq!((status, location.as_str()), (303, "/rooms"), "{who}");
        let (status, _, rooms) = server.page("/rooms", cookie).await;
        assert_eq!(status, 200);
        assert!(rooms.contains("Side room") && rooms.contains(&join), "{who} may come back, {left} are left");
        let (_, _, page) = server.page(&made, cookie).await;
        assert!(!page.contains("words that stay"), "{who} does not read on");
    }

    // Once more is an error in words, on a page that goes on.
    let again = server.post(&leave, &owner, &[], &[]).await;
    assert_eq!(again.status(), 404);
    let page = again.text().await.unwrap();
    assert!(page.contains("There is no such room, or you are not in it.") && page.contains("Side room"));

    // An empty room is entered as any other, and holds what it held.
    assert_eq!(server.form(&join, &owner, &[]).await.2, made);
    assert!(server.page(&made, &owner).await.2.contains("words that stay"));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_last_room_the_list_of_rooms_is_home() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (owner, general) = server.set_up().await;
    let general = format!("/r/{general}");
    assert_eq!(server.page("/", &owner).await.1, general);
    let leave = format!("{general}/leave");
    assert_eq!(server.form(&leave, &owner, &[]).await.2, "/rooms");
    assert_eq!(server.page("/", &owner).await.1, "/rooms");
    assert_eq!(server.page("/rooms", &owner).await.0, 200);
    assert_eq!(server.form(&format!("{general}/join"), &owner, &[]).await.2, general);
    assert_eq!(server.page("/", &owner).await.1, general);

    assert_eq!(server.form(&leave, "", &[]).await.2, "/sign-in", "nobody leaves for others");
    assert_eq!(server.form("/r/bbbbbbbbbb/leave", &owner, &[]).await.0, 404);
    assert_eq!(server.form("/r/no-room/leave", &owner, &[]).await.0, 404);
    assert_eq!(server.page("/", &owner).await.1, general);
}
