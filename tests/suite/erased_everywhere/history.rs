//! A log that began in format 4 and rose to format 5, with texts of each kind that can be erased.

use crate::support::awaited::closed;
use crate::support::{config, read_all, set_up_with};
use beck::protocol::change::{AccountSetting, Act};
use beck::protocol::stored::MessageDraft;
use beck::protocol::{
    AccountId, ActBody, ActValue, Added, Change, ClientId, Format, Kind, MessageBody, RoomId,
};
use beck::server::broker::embedded::Embedded;
use beck::server::broker::{Content, Entry, Proposal, SharedBroker};
use beck::server::fold::{Fold, SettingBody};
use beck::server::{now_ms, rooms};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const DAYS_AGO: i64 = -3 * 86_400_000;

pub struct History {
    pub owner: AccountId,
    pub room: RoomId,
    /// As they were before anything was erased.
    pub entries: Vec<Entry>,
    /// What each text is, and the text: those that have to go.
    pub gone: Vec<(String, String)>,
    /// Those that nothing shows, so that the state file need not have them.
    pub unshown: Vec<String>,
    pub stays: Vec<(String, String)>,
    /// An edit of an erased message that the log has lost, and its text.
    pub lost: (Entry, String),
}

/// Texts that stand nowhere else.
#[derive(Default)]
struct Texts {
    gone: Vec<(String, String)>,
    unshown: Vec<String>,
    stays: Vec<(String, String)>,
}

fn text(what: &str) -> String {
    format!("{} {}", what.replace(' ', "-"), AccountId::random())
}

impl Texts {
    fn gone(&mut self, what: &str) -> String {
        self.gone.push((what.to_owned(), text(what)));
        self.gone.last().unwrap().1.clone()
    }

    /// As `gone`, of a text that no reader sees any more.
    fn unshown(&mut self, what: &str) -> String {
        self.unshown.push(what.to_owned());
        self.gone(what)
    }

    fn stays(&mut self, what: &str) -> String {
        self.stays.push((what.to_owned(), text(what)));
        self.stays.last().unwrap().1.clone()
    }
}

fn old(by: AccountId, id: ClientId, room: RoomId, text: &str) -> Proposal {
    let body = MessageBody { text: text.to_owned(), quote: None, said: None };
    Proposal::new(by, id, Kind::Message, &body).room(room)
}

fn old_act(by: AccountId, room: RoomId, target: ClientId, slot: &str, value: ActValue) -> Proposal {
    let proposal = Proposal::new(by, ClientId::random(), Kind::Act, &ActBody { value }).room(room);
    proposal.target(target.to_string().parse().unwrap()).slot(slot.parse().unwrap())
}

fn old_status(by: AccountId, text: &str) -> Proposal {
    let body = SettingBody { value: json!({ "text": text }) };
    let proposal = Proposal::new(by, ClientId::random(), Kind::AccountSet, &body);
    proposal.target(by.as_str().parse().unwrap()).slot("status".parse().unwrap())
}

fn of(by: AccountId, id: ClientId, change: &Change, content: Content) -> Proposal {
    Proposal::of(Format::Five, by, id, change, content).unwrap()
}

fn message(by: AccountId, id: ClientId, room: RoomId, text: &str) -> Proposal {
    let change = Change::Post { room, answers: None, in_room: false, written_for: None };
    let draft = MessageDraft { text, quote: None, said: None };
    of(by, id, &change, Content::erasable(&draft, &Added::default()))
}

fn edit(by: AccountId, room: RoomId, message: ClientId, text: &str) -> Proposal {
    let change = Change::Act { room, message, act: Act::Edit };
    let draft = json!({ "value": text });
    of(by, ClientId::random(), &change, Content::erasable(&draft, &Added::default()))
}

fn delete(by: AccountId, room: RoomId, message: ClientId) -> Proposal {
    let change = Change::Act { room, message, act: Act::Delete };
    of(by, ClientId::random(), &change, Content::None)
}

/// Writes it into a folder, three days ago, and closes the log.
pub async fn write(folder: &Path) -> History {
    let ahead = Arc::new(AtomicI64::new(DAYS_AGO));
    let clock = ahead.clone();
    let log = Embedded::open_with_clock(folder, move || now_ms() + clock.load(Ordering::SeqCst)).unwrap();
    let log: SharedBroker = Arc::new(log);
    let mut first = config(folder);
    first.newest_format = Format::Four;
    let here = set_up_with(first, log.clone()).await;
    let (owner, room) = (here.owner, here.general);
    let guest = here.member("guest").await;
    let hidden = rooms::create(&here.node, owner, "Hidden", "").await.unwrap();
    let operator = here.node.epoch().unwrap().as_str().parse().unwrap();
    drop(here);
    let mut texts = Texts::default();
    let mut all = Vec::new();

    // Format 4.
    let (restored, edited) = (ClientId::random(), ClientId::random());
    all.push(old(owner, restored, room, &texts.gone("an old message")));
    all.push(old_act(owner, room, restored, "deleted", ActValue::On(true)));
    let back = ActValue::Restored { restored: texts.gone("a restore with text") };
    all.push(old_act(owner, room, restored, "deleted", back));
    all.push(old(owner, edited, room, &texts.unshown("an old text before an edit")));
    all.push(old_act(owner, room, edited, "text", ActValue::Text(texts.stays("an old edit"))));
    let refused = ClientId::random();
    all.push(old(guest, refused, hidden, &texts.gone("an old refused draft")));
    all.push(old(guest, refused, hidden, &texts.gone("an old refused draft that was repeated")));
    let status = old_status(guest, &texts.unshown("an old status"));
    let mut repeated = old_status(guest, &texts.gone("an old status that was repeated"));
    repeated.client_id = status.client_id;
    all.extend([status, repeated]);
    all.push(old_status(guest, &texts.unshown("a status that was replaced")));
    all.push(Proposal::new(operator, ClientId::random(), Kind::Format, &5));

    // Format 5.
    let (gone, stands, taken_back) = (ClientId::random(), ClientId::random(), ClientId::random());
    all.push(message(owner, gone, room, &texts.gone("a message")));
    all.push(edit(owner, room, gone, &texts.gone("an edit of it")));
    all.push(message(owner, gone, room, &texts.gone("a repeated message")));
    all.push(delete(owner, room, gone));
    all.push(delete(owner, room, restored));
    all.push(message(owner, stands, room, &texts.unshown("a text before an edit")));
    all.push(edit(owner, room, stands, &texts.unshown("a text before another edit")));
    all.push(edit(owner, room, stands, &texts.stays("the text that stands")));
    let kept = ClientId::random();
    all.push(message(owner, kept, room, &texts.unshown("a text before an edit of what is deleted today")));
    all.push(edit(owner, room, kept, &texts.stays("the text of what is deleted today")));
    all.push(message(guest, ClientId::random(), hidden, &texts.gone("a refused draft")));
    all.push(of(guest, ClientId::random(), &Change::Void { draft: taken_back }, Content::None));
    all.push(message(guest, taken_back, room, &texts.gone("a draft that was taken back")));
    let status = Change::SetAccount { account: guest, setting: AccountSetting::Status };
    let said = json!({ "text": texts.unshown("a status") });
    all.push(of(guest, ClientId::random(), &status, Content::value(Some(said))));
    let said = json!({ "text": texts.stays("a new status") });
    all.push(of(guest, ClientId::random(), &status, Content::value(Some(said))));
    let name = Change::SetAccount { account: guest, setting: AccountSetting::Name };
    all.push(of(guest, ClientId::random(), &name, Content::value(Some(texts.unshown("a name")))));
    all.push(of(guest, ClientId::random(), &name, Content::value(Some(texts.stays("a new name")))));
    let topic = Change::SetTopic { room };
    all.push(of(owner, ClientId::random(), &topic, Content::value(Some(texts.unshown("a topic")))));
    all.push(of(owner, ClientId::random(), &topic, Content::value(Some(texts.stays("a new topic")))));
    let workspace = &Change::SetWorkspaceName;
    let named = Content::value(Some(texts.unshown("a name of the workspace")));
    all.push(of(operator, ClientId::random(), workspace, named));
    let named = Content::value(Some(texts.stays("a new name of the workspace")));
    all.push(of(operator, ClientId::random(), workspace, named));
    let count = all.len() as u64;
    let first = log.append(all).await.unwrap();
    // Today.
    ahead.store(0, Ordering::SeqCst);
    let of_today = message(owner, ClientId::random(), room, &texts.stays("a message of today"));
    log.append(vec![delete(owner, room, kept), of_today]).await.unwrap();

    let entries = read_all(log.as_ref()).await;
    assert_eq!(entries.len() as u64, first + count + 1);
    drop(log);
    closed(folder).await;
    fold(folder, &entries);
    let text = text("a lost edit");
    let mut of_gone = entries.iter().filter(|entry| entry.header.client_id == gone);
    let Some(mut lost) = of_gone.next().cloned() else { panic!("no message") };
    let proposal = edit(owner, room, gone, &text);
    lost.header = proposal.header(lost.header.g + 1_000, lost.header.at);
    lost.body = Some(proposal.body);
    let Texts { gone, unshown, stays } = texts;
    History { owner, room, entries, gone, unshown, stays, lost: (lost, text) }
}

/// What a server of this folder has folded when it goes down.
pub fn fold(folder: &Path, entries: &[Entry]) {
    let (state, mut fold) = Fold::open_up_to(folder, |_, _| true, Format::Five).unwrap();
    let folded = fold.folded().0;
    fold.fold(&entries[folded as usize..]).unwrap();
    assert_eq!(fold.folded().0, entries.len() as u64);
    drop((state, fold));
}
