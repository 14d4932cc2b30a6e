//! `beck demo`: fills an empty folder with a workspace that looks lived in.

mod forms;
mod times;

use super::Ended;
use crate::protocol::change::Act;
use crate::protocol::stored::{MessageDraft, Nothing};
use crate::protocol::{AccountId, Change, ClientId, Format, Pointer, Raise, RoomId};
use crate::server::broker::{Broker, BrokerError, Content, Proposal, Unwritable, embedded::Embedded};
use crate::server::config::Config;
use crate::server::node::Node;
use crate::server::now_ms;
use forms::Forms;
use futures::FutureExt;
use std::sync::Arc;

const PEOPLE: [(&str, &str); 6] = [
    ("Lena Krüger", "lena"),
    ("Tomáš Beran", "tomas"),
    ("Ines Okafor", "ines"),
    ("佐藤 美咲", "misaki"),
    ("Omar Haddad", "omar"),
    ("Priya Raman", "priya"),
];

/// This room's newest messages are unread for those who get a link to sign in, so that badges show.
const UNREAD_ROOM: &str = "Incidents";
const UNREAD: usize = 3;
/// So many of the people get a link; they wrote nothing of what is unread.
const LINKS: usize = 2;

/// Name, topic, messages.
const ROOMS: [(&str, &str, usize); 8] = [
    ("General", "Everything that is for all of us", 900),
    ("Design review", "Work in progress; be kind and precise", 520),
    (UNREAD_ROOM, "What broke, what we know, who is on it", 460),
    ("Release 0.4", "", 380),
    ("Kitchen", "Lunch, coffee, the fridge", 300),
    ("Reading", "Papers and long reads", 240),
    ("Random", "Whatever else", 200),
    ("Deploys", "One line for each deploy, by the robot's owner", 10_000),
];

const REACTIONS: [&str; 5] = ["🌊", "👍", "🎉", "👀", "❤️"];

const LINES: [&str; 24] = [
    "Failover drill went through on the second node. 50 clients, 3 kills, nothing doubled.",
    "The one slow part was `XRANGE` for the 118–121 hole, 4 ms.",
    "```rust\nlet page = broker.read(log, after, 500).await?; // one fetch per hole\nhub.deliver(&page);\n```",
    "Lovely. I will write that into the release note tonight.",
    "おはよう。東京のノードでも同じ結果でした。",
    "could you look at the proxy timeout before we open it to everyone?",
    "Yes, idle cut is 60 s there; our heartbeat is 25 s, so it holds.",
    "صباح الخير، التقرير جاهز وسأرسله بعد الاجتماع.",
    "https://example.org/notes/2026/how-we-drain-a-node has the steps, second half is the part that matters",
    "👏",
    "I moved the retry into the outbox. Everything that waits is on disk now, so a reload in the middle loses nothing, and the same id makes the second try harmless even when the first answer never came back to us.",
    "Lunch at 12:30? There is soup.",
    "+1",
    "The graph for last night: flat, which is what we wanted.",
    "Who has the key for the meeting room?",
    "Merged. Thanks for the careful review, the naming is much better now.",
    "明日の午後、会議室を予約しました。資料は事前に共有します。",
    "```\nGET /readyz HTTP/1.1\nHost: 127.0.0.1:8080\n\nHTTP/1.1 503 Service Unavailable\nReading the log: 812 of 4811 entries.\n```",
    "One more thing: the phone layout wants 44 px rows, ours were 40.",
    "Done 🌊",
    "I cannot reproduce it here. Which version, and does it happen with a clean profile?",
    "It was the clock: three minutes slow. Order by sequence, never by time.",
    "averyveryverylongwordwithoutanyspacesthatsomebodypastedfromalogfileandthatmustnotpushtheroomoutofshape0123456789abcdef0123456789abcdef",
    "Good night, all.",
];

pub fn run(config: Config) -> Ended {
    async move {
        let folder = &config.data_dir;
        let used = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
        if used {
            return Err(format!(
                "the folder {} is not empty. Set DATA_DIR to an empty folder for the demo",
                folder.display()
            ));
        }
        let people = PEOPLE.map(|_| AccountId::random());
        let (times, entries): (Vec<_>, Vec<_>) = compose(&people, now_ms(), config.newest_format)
            .map_err(|fault| fault.to_string())?
            .into_iter()
            .unzip();
        // What is written once the demo is filled, if anything, has the time of the day again.
        let mut times = times.into_iter();
        let clock = move || times.next().unwrap_or_else(now_ms);
        let broker = Embedded::open_with_clock(folder, clock).map_err(|fault| fault.to_string())?;
        let broker: Arc<dyn Broker> = Arc::new(broker);
        fill(&broker, entries).await.map_err(|fault| fault.to_string())?;
        let base = config.public_url.as_ref().map(|url| url.as_str().to_owned());
        let base = base.unwrap_or_else(|| format!("http://127.0.0.1:{}", config.address.port()));
        let node = Node::start(config, broker).await.map_err(|fault| fault.to_string())?;
        for (n, (account, (name, _))) in people.iter().zip(PEOPLE).enumerate() {
            node.set_password(*account, "water over stone").await.map_err(|fault| fault.to_string())?;
            let head = node.directory().rooms_of(*account);
            for room in head {
                let read = node.state.enter((*account, room.id), |member| member.lane_head(0));
                let unread = if room.name == UNREAD_ROOM { UNREAD as u64 } else { 0 };
                let ordinal = read.unwrap_or(0).saturating_sub(unread);
                let pointer = Pointer { generation: 0, ordinal };
                let mut raise = vec![Raise { room: room.id, lane: 0, pointer }];
                let threads = crate::server::threads::threads(&node, *account, room.id).await;
                for thread in threads.unwrap_or_default() {
                    let pointer = Pointer { generation: 0, ordinal: thread.badge.head };
                    raise.push(Raise { room: room.id, lane: thread.lane, pointer });
                }
                let _ = crate::server::unread::raise(&node, *account, raise).await;
            }
            if n < LINKS {
                let token = node.enter_token(*account).await.map_err(|fault| fault.to_string())?;
                say!("Sign in as {name}: {base}/enter/{token}");
            }
        }
        say!("Each link works once, within a day.");
        Ok(())
    }
    .boxed()
}

/// Small, fixed, and good enough to scatter lines.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % below as u64) as usize
    }
}

/// The whole log of the demo for six people, in order, each entry with its time.
pub fn compose(
    people: &[AccountId; PEOPLE.len()],
    now: i64,
    format: Format,
) -> Result<Vec<(i64, Proposal)>, Unwritable> {
    let forms = Forms::new(format);
    let founded = now - times::MONTH - times::DAY;
    let mut log = vec![(founded, forms.workspace(people[0], "Northfield Coop")?)];
    for (n, (account, called)) in (1..).zip(people.iter().zip(PEOPLE)) {
        let entries = forms.account(*account, *account == people[0], called)?;
        log.extend(entries.into_iter().map(|entry| (founded + n * times::MINUTE, entry)));
    }
    let (mut dice, mut talk) = (Dice(7), Dice(11));
    for (n, (name, topic, messages)) in (0..).zip(ROOMS) {
        let room = RoomId::random();
        let opened = founded + (10 + n) * times::MINUTE;
        let entries = forms.room(people[0], room, (name, topic))?;
        log.extend(entries.into_iter().map(|entry| (opened, entry)));
        for account in &people[1..] {
            let join = Change::Join { room, account: *account };
            log.push((opened, forms.change(*account, ClientId::random(), &join, Content::None)?));
        }
        let mut author = people[0];
        let mut last = None;
        // The first rooms are the liveliest.
        let newest = now - (3 + 11 * n * n) * times::MINUTE;
        for (n, at) in times::of_room(&mut dice, messages, now, newest).into_iter().enumerate() {
            if dice.next(3) == 0 {
                author = people[dice.next(people.len())];
            }
            if name == UNREAD_ROOM && n + UNREAD >= messages && people[..LINKS].contains(&author) {
                author = people[LINKS + dice.next(people.len() - LINKS)];
            }
            let text = if name == "Deploys" {
                format!("deploy {} of web is live, 0 errors in the first minute", n + 1)
            } else {
                LINES[dice.next(LINES.len())].to_owned()
            };
            let quote = if dice.next(25) == 0 { last } else { None };
            let id = ClientId::random();
            last = Some(id);
            let message =
                |by: AccountId, id: ClientId, answers: Option<ClientId>, draft: MessageDraft<'_>| {
                    let post = Change::Post { room, answers, in_room: false, written_for: None };
                    forms.change(by, id, &post, Content::erasable(&draft, &Nothing {}))
                };
            log.push((at, message(author, id, None, MessageDraft { text: &text, quote, said: None })?));
            if name == "Deploys" {
                continue;
            }
            for k in 0..[0, 0, 3, 0, 0, 1, 0][n % 7] * usize::from(n % 11 == 4) {
                let by = people[talk.next(people.len())];
                let draft = MessageDraft { text: LINES[talk.next(LINES.len())], quote: None, said: None };
                let soon = at + 20_000 + 40_000 * k as i64;
                log.push((soon, message(by, ClientId::random(), Some(id), draft)?));
            }
            // Never in the future: the newest message is three minutes old.
            let mut act = |by: AccountId, act: Act, content: Content| {
                let soon = at + 10_000 + dice.next(150_000) as i64;
                let act = Change::Act { room, message: id, act };
                log.push((soon, forms.change(by, ClientId::random(), &act, content)?));
                Ok::<_, Unwritable>(())
            };
            if n % 12 == 5 {
                let emoji = REACTIONS[n % REACTIONS.len()];
                for account in people.iter().take(1 + n % 4) {
                    let react = Act::React { emoji: emoji.to_owned(), account: *account, on: true };
                    act(*account, react, Content::None)?;
                }
            }
            if n % 37 == 7 {
                let text = format!("{text}\nLater: this holds for both nodes.");
                act(author, Act::Edit, Content::value(Some(text)))?;
            }
            if n % 173 == 29 {
                act(people[n % people.len()], Act::Pin(true), Content::None)?;
            }
        }
    }
    log.sort_by_key(|(at, _)| *at);
    Ok(log)
}

async fn fill(broker: &Arc<dyn Broker>, entries: Vec<Proposal>) -> Result<(), BrokerError> {
    let mut entries = entries.into_iter();
    if let Some(workspace) = entries.next() {
        broker.create(workspace).await?;
    }
    loop {
        let batch: Vec<_> = entries.by_ref().take(500).collect();
        if batch.is_empty() {
            return Ok(());
        }
        broker.append(batch).await?;
    }
}
