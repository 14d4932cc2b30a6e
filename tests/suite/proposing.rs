//! What servers propose from format 5 on: texts with whom they name, restores without text, and drafts that are sent again.

use crate::support::{config, erase, read_all};
use beck::protocol::bounds::Unfit;
use beck::protocol::change::AccountSetting;
use beck::protocol::frame::{Answer, Draft};
use beck::protocol::{
    AccountId, ActDraft, ActValue, Change, ClientId, Format, Kind, Outcome, Refusal, RoomId, Row,
};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Content, Proposal, SharedBroker};
use beck::server::error::AppError;
use beck::server::node::Node;
use beck::server::{accounts, rooms, unread};
use std::path::Path;
use std::sync::Arc;
use tempfile::{TempDir, tempdir};

/// Two servers on one log.
struct Place {
    log: SharedBroker,
    first: Arc<Node>,
    second: Arc<Node>,
    olive: AccountId,
    bo: AccountId,
    general: RoomId,
    _folders: Vec<TempDir>,
}

async fn start(folder: &Path, log: &SharedBroker, newest: Format) -> Arc<Node> {
    let mut config = config(folder);
    config.newest_format = newest;
    Node::start(config, log.clone()).await.unwrap()
}

async fn sign_up(node: &Arc<Node>, handle: &str) -> AccountId {
    let new = accounts::NewAccount { name: handle, handle, password: "a long password" };
    accounts::sign_up(node, new).await.unwrap()
}

impl Place {
    async fn of(format: Format) -> Place {
        let folders = vec![tempdir().unwrap(), tempdir().unwrap()];
        let log: SharedBroker = Arc::new(Embedded::open(folders[0].path()).unwrap());
        let first = start(folders[0].path(), &log, format).await;
        let new = accounts::NewAccount { name: "Olive", handle: "olive", password: "a long password" };
        let (olive, general) = accounts::set_up(&first, "Test Place", new).await.unwrap();
        let second = start(folders[1].path(), &log, format).await;
        let bo = sign_up(&first, "bo").await;
        Place { log, first, second, olive, bo, general, _folders: folders }
    }

    /// The same log with servers that read format 5, to which it rises.
    async fn rise(mut self) -> Place {
        let folders = [tempdir().unwrap(), tempdir().unwrap()];
        self.first = start(folders[0].path(), &self.log, Format::Five).await;
        self.second = start(folders[1].path(), &self.log, Format::Five).await;
        self._folders.extend(folders);
        // In the form of the log that is raised by it.
        let operator = self.first.epoch().unwrap().operator();
        let rise = Proposal::new(operator, ClientId::random(), Kind::Format, &Format::Five.number());
        let risen = self.first.propose(rise).await.unwrap();
        assert!(matches!(risen, Outcome::Stored { .. }), "{risen:?}");
        self.caught_up(&self.second).await;
        self
    }

    fn draft(&self, id: ClientId, text: &str) -> Draft {
        let named = Default::default();
        Draft { id, room: self.general, thread: None, quote: None, text: text.into(), named }
    }

    async fn post(&self, text: &str) -> ClientId {
        let id = ClientId::random();
        let outcome = rooms::post(&self.first, self.olive, self.draft(id, text)).await.unwrap();
        assert!(matches!(outcome, Outcome::Stored { .. }), "{outcome:?}");
        id
    }

    fn act_as(&self, id: ClientId, target: ClientId, slot: &str, value: ActValue) -> ActDraft {
        ActDraft { id, room: self.general, target, slot: slot.into(), value, named: Default::default() }
    }

    async fn act(&self, target: ClientId, slot: &str, value: ActValue) -> Result<Outcome, AppError> {
        rooms::act(&self.first, self.olive, self.act_as(ClientId::random(), target, slot, value)).await
    }

    /// The stored body of the newest entry, and the entry's header words from the kind on.
    async fn newest(&self) -> (String, String) {
        let newest = read_all(self.log.as_ref()).await.pop().unwrap();
        let rest = newest.header.rest();
        let words = rest.split(' ').skip(2).take(4).collect::<Vec<_>>().join(" ");
        (words, newest.body.unwrap())
    }

    async fn head(&self) -> u64 {
        self.log.head().await.unwrap().unwrap().g
    }

    async fn caught_up(&self, node: &Node) {
        node.wait_folded(self.head().await).await;
    }

    async fn row(&self, node: &Node, id: ClientId) -> Row {
        self.caught_up(node).await;
        node.state.read_anything(|state| state.row(id)).unwrap().unwrap().1
    }

    async fn propose_as_operator(&self, change: Change) -> Outcome {
        let operator = self.first.epoch().unwrap().operator();
        let proposal =
            Proposal::of(Format::Five, operator, ClientId::random(), &change, Content::None).unwrap();
        self.first.propose(proposal).await.unwrap()
    }
}

/// What follows a salt of so many characters `[0-9a-f]`.
fn after_salt(body: &str, length: usize) -> &str {
    let (salt, rest) = body.split_at(length);
    assert!(salt.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')), "{body}");
    rest
}

fn text(words: &str) -> ActValue {
    ActValue::Text(words.into())
}

fn restored(words: &str) -> ActValue {
    ActValue::Restored { restored: words.into() }
}

fn refused(why: Refusal) -> Outcome {
    Outcome::Refused { why }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_stored_with_whom_it_names() {
    let place = Place::of(Format::Five).await;
    let (general, bo) = (place.general, place.bo);
    place.post("plain").await;
    let (words, body) = place.newest().await;
    assert_eq!(words, format!("{general} message - -"));
    assert_eq!(after_salt(&body, 32), "{\"text\":\"plain\"}\n{}");
    // The account is new on the other server: this one reads the log before it says that nobody has the handle.
    let cleo = sign_up(&place.second, "cleo").await;
    let id = place.post("@bo @Cleo @nobody @room").await;
    let named = format!(r#"{{"mentions":{{"bo":"{bo}","cleo":"{cleo}"}},"all":true}}"#);
    let (_, body) = place.newest().await;
    assert_eq!(after_salt(&body, 32), format!("{{\"text\":\"@bo @Cleo @nobody @room\"}}\n{named}"));
    // An edit says all whom it names, and the badges of those say who is new.
    place.act(id, "text", text("@bo @olive")).await.unwrap();
    let (words, body) = place.newest().await;
    assert_eq!(words, format!("{general} act {id} text"));
    let named = format!(r#"{{"mentions":{{"bo":"{bo}","olive":"{}"}}}}"#, place.olive);
    assert_eq!(after_salt(&body, 32), format!("{{\"value\":\"@bo @olive\"}}\n{named}"));
    let plain = place.post("plain").await;
    rooms::join(&place.second, cleo, general).await.unwrap();
    place.act(plain, "text", text("@cleo @bo")).await.unwrap();
    let version = place.row(&place.second, plain).await.version;
    for who in [cleo, bo] {
        let badges = unread::badges(&place.second, who, [general]).await.unwrap();
        assert_eq!(badges[&general].named_by_edit, version);
    }
    let badges = unread::badges(&place.second, bo, [general]).await.unwrap();
    assert_eq!(badges[&general].mentions, 2);
}

/// The server that proposes an edit repeats the quote of the message, also where it has not folded that yet.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_stored_with_the_quote_of_its_message() {
    let place = Place::of(Format::Five).await;
    let quoted = place.post("quoted").await;
    let id = ClientId::random();
    let draft = Draft { quote: Some(quoted), ..place.draft(id, "quoting") };
    rooms::post(&place.second, place.olive, draft).await.unwrap();
    for text in ["edited", "edited again"] {
        place.act(id, "text", self::text(text)).await.unwrap();
        let (_, body) = place.newest().await;
        assert_eq!(after_salt(&body, 32), format!("{{\"value\":\"{text}\"}}\n{{\"quote\":\"{quoted}\"}}"));
    }
    let edit = place.act(id, "text", text("@bo")).await;
    assert!(matches!(edit, Ok(Outcome::Stored { .. })));
    let (_, body) = place.newest().await;
    let added = format!(r#"{{"mentions":{{"bo":"{}"}},"quote":"{quoted}"}}"#, place.bo);
    assert_eq!(after_salt(&body, 32), format!("{{\"value\":\"@bo\"}}\n{added}"));
    for node in [&place.first, &place.second] {
        let row = place.row(node, id).await;
        assert_eq!((row.quote, row.text.as_deref()), (Some(quoted), Some("@bo")));
        assert_eq!(row.added.unwrap().quote, Some(quoted));
    }
}

/// One that was written before the log had format 5 keeps its quote from the first edit in format 5 on.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_an_older_message_has_its_quote() {
    let place = Place::of(Format::Four).await;
    let quoted = place.post("quoted").await;
    let id = ClientId::random();
    let draft = Draft { quote: Some(quoted), ..place.draft(id, "quoting") };
    rooms::post(&place.first, place.olive, draft).await.unwrap();
    place.act(id, "text", text("edited")).await.unwrap();
    let (_, body) = place.newest().await;
    assert_eq!(after_salt(&body, 16), r#"{"value":"edited"}"#);
    let place = place.rise().await;
    place.act(id, "text", text("edited again")).await.unwrap();
    let (_, body) = place.newest().await;
    let added = format!(r#"{{"quote":"{quoted}"}}"#);
    assert_eq!(after_salt(&body, 32), format!("{{\"value\":\"edited again\"}}\n{added}"));
    assert_eq!(place.row(&place.second, id).await.quote, Some(quoted));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_names_are_refused_before_anything_is_stored() {
    let place = Place::of(Format::Five).await;
    let handles: Vec<_> = (0..51).map(|n| format!("p{n}")).collect();
    let operator = place.first.epoch().unwrap().operator();
    for handle in &handles {
        let change = Change::Account {
            id: AccountId::random(),
            handle: handle.clone(),
            owner: false,
            rooms: Vec::new(),
            invitation: None,
            name: None,
        };
        let proposal =
            Proposal::of(Format::Five, operator, ClientId::random(), &change, Content::None).unwrap();
        assert!(matches!(place.first.propose(proposal).await.unwrap(), Outcome::Stored { .. }));
    }
    let before = place.head().await;
    let all: String = handles.iter().map(|handle| format!("@{handle} ")).collect();
    let draft = place.draft(ClientId::random(), &all);
    let no = rooms::post(&place.second, place.olive, draft.clone()).await;
    assert!(matches!(no, Err(AppError::Unfit(Unfit::Mentions { people: 51 }))), "{no:?}");
    assert_eq!(place.head().await, before);
    // One that another server has stored has its first outcome all the same.
    let proposal = Proposal::of(
        Format::Five,
        place.olive,
        draft.id,
        &Change::Post { room: place.general, answers: None, in_room: false, written_for: None },
        Content::Erasable { draft: format!(r#"{{"text":"{}"}}"#, all.trim_end()), added: "{}".into() },
    );
    let first = place.first.propose(proposal.unwrap()).await.unwrap();
    assert!(matches!(first, Outcome::Stored { .. }));
    assert_eq!(rooms::post(&place.second, place.olive, draft).await.unwrap(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_are_stored_in_exactly_these_bytes() {
    let place = Place::of(Format::Five).await;
    let (general, olive) = (place.general, place.olive);
    let id = place.post("one").await;
    for (slot, value, body) in [
        ("pin", ActValue::On(true), r#"{"value":true}"#),
        ("pin", ActValue::On(false), r#"{"value":false}"#),
        (&*format!("react:👍:{olive}"), ActValue::On(true), r#"{"value":true}"#),
        ("deleted", ActValue::On(true), r#"{"value":true}"#),
        ("deleted", ActValue::On(false), r#"{"value":false}"#),
        ("deleted", ActValue::On(true), r#"{"value":true}"#),
        ("deleted", restored("of an old page"), r#"{"value":false}"#),
    ] {
        let outcome = place.act(id, slot, value).await.unwrap();
        assert!(matches!(outcome, Outcome::Stored { .. }), "{slot}: {outcome:?}");
        let (words, stored) = place.newest().await;
        assert_eq!(words, format!("{general} act {id} {slot}"));
        assert_eq!(after_salt(&stored, 16), body, "{slot}");
    }
    assert_eq!(place.row(&place.second, id).await.text.as_deref(), Some("one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_stands_in_the_room_too_names_the_root() {
    let place = Place::of(Format::Five).await;
    let root = place.post("root").await;
    let reply = |to, also| {
        let thread = Some(Answer { to, also });
        Draft { thread, ..place.draft(ClientId::random(), "reply") }
    };
    let answer = reply(root, false);
    rooms::post(&place.first, place.bo, answer.clone()).await.unwrap();
    let also = reply(answer.id, true);
    let first = rooms::post(&place.second, place.olive, also.clone()).await.unwrap();
    let (words, _) = place.newest().await;
    assert_eq!(words, format!("{} message {root} room", place.general));
    assert_eq!(rooms::post(&place.first, place.olive, also).await.unwrap(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_is_sent_again_has_its_first_outcome() {
    let place = Place::of(Format::Five).await;
    let draft = place.draft(ClientId::random(), "ship it @bo @later");
    let first = rooms::post(&place.first, place.olive, draft.clone()).await.unwrap();
    let Outcome::Stored { g, .. } = first else { panic!("{first:?}") };
    let again = async |node: &Arc<Node>, text: &str| {
        let named = [("bo".to_owned(), place.olive)].into();
        rooms::post(node, place.olive, Draft { text: text.into(), named, ..draft.clone() }).await.unwrap()
    };
    place.caught_up(&place.second).await;
    let head = place.head().await;
    assert_eq!(again(&place.second, "ship it @bo @later").await, first);
    // White space at the end is no part of a text.
    assert_eq!(again(&place.second, "ship it @bo @later \n").await, first);
    for other in ["ship it", "", "a\u{7}bell"] {
        assert_eq!(again(&place.second, other).await, refused(Refusal::OtherDraft), "{other:?}");
    }
    assert_eq!(place.head().await, head, "nothing was stored again");
    // Somebody else's is neither told nor stored.
    let theirs = rooms::post(&place.second, place.bo, draft.clone()).await;
    assert_eq!(theirs.unwrap(), refused(Refusal::OtherDraft));
    // The handle has an account now, and the account that is named another name; the text is edited, and then deleted.
    sign_up(&place.first, "later").await;
    let name = Change::SetAccount { account: place.bo, setting: AccountSetting::Name };
    let name = Proposal::of(
        Format::Five,
        place.bo,
        ClientId::random(),
        &name,
        Content::value(Some("Bo the second")),
    );
    place.first.propose(name.unwrap()).await.unwrap();
    place.act(draft.id, "text", text("another text")).await.unwrap();
    for node in [&place.first, &place.second] {
        assert_eq!(again(node, "ship it @bo @later").await, first);
    }
    place.act(draft.id, "deleted", ActValue::On(true)).await.unwrap();
    // Outside the room, where nothing can be posted any more.
    rooms::leave(&place.first, place.olive, place.general).await.unwrap();
    for node in [&place.first, &place.second] {
        place.caught_up(node).await;
        assert_eq!(again(node, "ship it @bo @later").await, first);
        assert_eq!(again(node, "ship it").await, refused(Refusal::OtherDraft));
    }
    // Where the text is erased nothing can be compared.
    assert!(erase(place.log.as_ref(), &[g]).await);
    let folder = tempdir().unwrap();
    let fresh = start(folder.path(), &place.log, Format::Five).await;
    place.caught_up(&fresh).await;
    assert_eq!(again(&fresh, "ship it @bo @later").await, first);
    assert_eq!(again(&fresh, "ship it").await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_forms_of_a_restore_are_one_draft() {
    let place = Place::of(Format::Five).await;
    let id = place.post("one").await;
    place.act(id, "deleted", ActValue::On(true)).await.unwrap();
    let restore = |value| place.act_as(ClientId::random(), id, "deleted", value);
    let first = restore(restored("one"));
    let outcome = rooms::act(&place.first, place.olive, first.clone()).await.unwrap();
    assert!(matches!(outcome, Outcome::Stored { .. }), "{outcome:?}");
    for value in [ActValue::On(false), restored("another text"), restored("one")] {
        let again = ActDraft { value, ..first.clone() };
        assert_eq!(rooms::act(&place.second, place.olive, again).await.unwrap(), outcome);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_restored_says_why() {
    let place = Place::of(Format::Four).await;
    let (before, removed, theirs) =
        (place.post("before").await, place.post("removed").await, place.post("theirs").await);
    place.act(before, "deleted", ActValue::On(true)).await.unwrap();
    let place = place.rise().await;
    let (bo, general) = (place.bo, place.general);
    let sentence = async |target, value| {
        let no = place.act(target, "deleted", value).await.unwrap_err();
        no.to_string()
    };
    assert_eq!(
        sentence(before, ActValue::On(false)).await,
        "Deleted before the server was updated. It can't be restored."
    );
    let delete = |message| beck::protocol::Change::Act {
        room: general,
        message,
        act: beck::protocol::change::Act::Delete,
    };
    place.act(removed, "deleted", ActValue::On(true)).await.unwrap();
    place.propose_as_operator(delete(removed)).await;
    assert_eq!(
        sentence(removed, restored("removed")).await,
        "Deleted by the administrator. It can't be restored."
    );
    // Bo is neither its author nor an owner.
    place.act(theirs, "deleted", ActValue::On(true)).await.unwrap();
    let by_bo = place.act_as(ClientId::random(), theirs, "deleted", ActValue::On(false));
    place.caught_up(&place.second).await;
    assert!(matches!(rooms::act(&place.second, bo, by_bo).await, Err(AppError::Forbidden(_))));
    // What stands is not restored; the fold says so.
    let stands = place.post("stands").await;
    assert_eq!(
        place.act(stands, "deleted", ActValue::On(false)).await.unwrap(),
        refused(Refusal::TargetGone)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_left_may_delete_and_restore_what_they_wrote_and_nothing_else() {
    let place = Place::of(Format::Five).await;
    let (mine, theirs) = (ClientId::random(), place.post("of olive").await);
    rooms::post(&place.first, place.bo, place.draft(mine, "of bo")).await.unwrap();
    rooms::leave(&place.first, place.bo, place.general).await.unwrap();
    let act = async |target, slot: &str, value| {
        rooms::act(&place.second, place.bo, place.act_as(ClientId::random(), target, slot, value)).await
    };
    place.caught_up(&place.second).await;
    for value in [true, false] {
        let outcome = act(mine, "deleted", ActValue::On(value)).await.unwrap();
        assert!(matches!(outcome, Outcome::Stored { .. }), "{outcome:?}");
    }
    let head = place.head().await;
    for (target, slot, value) in [
        (theirs, "deleted", ActValue::On(true)),
        (mine, "text", text("edited")),
        (mine, "pin", ActValue::On(true)),
        (ClientId::random(), "deleted", ActValue::On(true)),
    ] {
        assert!(matches!(act(target, slot, value).await, Err(AppError::NotFound)), "{slot}");
    }
    assert_eq!(place.head().await, head, "nothing was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_that_is_stored_has_its_first_outcome_whatever_its_repeat_has() {
    let place = Place::of(Format::Five).await;
    let id = place.post("one").await;
    let edit = place.act_as(ClientId::random(), id, "text", text("two"));
    let first = rooms::act(&place.first, place.olive, edit.clone()).await.unwrap();
    assert!(matches!(first, Outcome::Stored { .. }), "{first:?}");
    let pin = place.act_as(ClientId::random(), id, "pin", ActValue::On(true));
    let pinned = rooms::act(&place.first, place.olive, pin.clone()).await.unwrap();
    let head = place.head().await;
    // A server that has not read them yet stores what it would propose once more, with the same outcome.
    place.caught_up(&place.second).await;
    for (first, slot, value, outcome) in [
        (&edit, "text", text("two"), first),
        (&edit, "text", text("three"), refused(Refusal::OtherDraft)),
        (&edit, "text", ActValue::On(true), refused(Refusal::OtherDraft)),
        (&edit, "later", text("two"), refused(Refusal::OtherDraft)),
        (&edit, "", text("two"), refused(Refusal::OtherDraft)),
        (&edit, "not a word", text("two"), refused(Refusal::OtherDraft)),
        (&edit, "react:thumb:x", text("two"), refused(Refusal::OtherDraft)),
        (&pin, "pin", ActValue::On(false), pinned),
        (&pin, "pin", text("two"), pinned),
    ] {
        let again = ActDraft { slot: slot.into(), value, ..first.clone() };
        let found = rooms::act(&place.second, place.olive, again.clone()).await.unwrap();
        assert_eq!(found, outcome, "{again:?}");
    }
    // Under an id that is not stored it is malformed.
    for slot in ["later", "", "not a word"] {
        let no =
            rooms::act(&place.second, place.olive, place.act_as(ClientId::random(), id, slot, text("two")));
        assert!(matches!(no.await, Err(AppError::Refused(Refusal::Malformed))), "{slot}");
    }
    assert_eq!(place.head().await, head, "nothing was stored");
}

/// As a server of an earlier format stored it: no server proposes such a slot any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_act_with_a_slot_of_an_earlier_format_has_its_first_outcome_too() {
    let place = Place::of(Format::Five).await;
    let id = place.post("one").await;
    let slot = format!("react:thumb:{}", place.olive);
    let act = place.act_as(ClientId::random(), id, &slot, ActValue::On(true));
    let body = beck::protocol::ActBody { value: ActValue::On(true) };
    let stored = Proposal::new(place.olive, act.id, beck::protocol::Kind::Act, &body).room(place.general);
    let stored = stored.target(id.to_string().parse().unwrap()).slot(slot.parse().unwrap());
    let first = place.first.propose(stored).await.unwrap();
    assert_eq!(first, refused(Refusal::Malformed));
    assert_eq!(rooms::act(&place.second, place.olive, act).await.unwrap(), first);
}
