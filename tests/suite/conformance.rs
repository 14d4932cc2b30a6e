//! The contract of `Broker` and of the fold behind it, on every backend there is.

use crate::support::backend::{Backend, on_every_backend};
use crate::support::erasing::erase_message;
use crate::support::{TestNode, assert_linked, config, erase, read_all, room_proposal};
use beck::protocol::frame::Draft;
use beck::protocol::{
    AccountId, ActDraft, ActValue, Change, ClientId, Format, Kind, MessageBody, Outcome, PageAt, Refusal,
    WorkspaceId,
};
use beck::server::broker::{BrokerError, Content, Entry, Head, NotErased, Pointer, Proposal, SecretOp};
use beck::server::node::Node;
use beck::server::rooms;
use beck::server::state::Floor;
use std::path::Path;

on_every_backend! {
    entries_are_numbered_and_linked_as_a_second_implementation_does
    a_log_is_made_once_and_only_on_purpose
    a_batch_stays_together
    secrets_compare_versions_and_expire_and_registers_only_rise
    a_retry_gets_the_first_outcome_and_another_text_is_refused
    whichever_comes_first_wins_message_or_void
    erased_text_is_gone_from_files_and_answers_and_links_agree
    a_deleted_state_is_folded_again_to_the_same
    a_lost_log_never_becomes_a_new_workspace
    following_tells_a_foreign_place
    texts_are_opaque_and_calls_keep_their_order
    many_who_append_get_numbers_of_their_own
    only_the_entry_with_the_same_link_is_erased
    erased_bodies_leave_a_whole_log_to_every_reader
    a_proposal_is_stored_only_in_a_log_that_has_its_format
}

/// The first entry of a log of the newest format.
pub fn workspace() -> Proposal {
    let id = WorkspaceId::random();
    let change = Change::Workspace { id, name: "Here".into(), format: Format::NEWEST.number() };
    Proposal::of(Format::NEWEST, id.operator(), ClientId::random(), &change, Content::None).unwrap()
}

async fn entries_are_numbered_and_linked_as_a_second_implementation_does(backend: &Backend) {
    let log = backend.log().await;
    let by = AccountId::random();
    log.create(workspace()).await.unwrap();
    // Not awaited one by one: the calls alone give the order.
    let names: Vec<_> = (0..50).map(|n| format!("room {n}")).collect();
    let proposals: Vec<_> = names.iter().map(|name| room_proposal(by, name)).collect();
    let ids: Vec<_> = proposals.iter().map(|proposal| proposal.client_id).collect();
    let appends: Vec<_> = proposals.into_iter().map(|proposal| log.append(vec![proposal])).collect();
    for (n, append) in appends.into_iter().enumerate().rev() {
        assert_eq!(append.await.unwrap(), n as u64 + 2);
    }
    let entries = read_all(log.as_ref()).await;
    assert_eq!(entries[1..].iter().map(|entry| entry.header.client_id).collect::<Vec<_>>(), ids);
    assert!(entries.is_sorted_by_key(|entry| entry.header.at));
    assert_linked(&entries);
    // From the file as well, not only from memory.
    drop(log);
    let again = backend.log().await;
    assert_eq!(read_all(again.as_ref()).await, entries);
}

async fn a_log_is_made_once_and_only_on_purpose(backend: &Backend) {
    let log = backend.log().await;
    let by = AccountId::random();
    let early = log.append(vec![room_proposal(by, "early")]).await;
    assert!(matches!(early, Err(BrokerError::Refused(_))), "{early:?}");
    assert_eq!(log.head().await.unwrap(), None);
    log.create(workspace()).await.unwrap();
    assert!(matches!(log.create(workspace()).await, Err(BrokerError::Refused(_))));
    assert_eq!(log.head().await.unwrap().unwrap().g, 1);
}

async fn a_batch_stays_together(backend: &Backend) {
    let log = backend.log().await;
    let by = AccountId::random();
    log.create(workspace()).await.unwrap();
    let batch: Vec<_> = (0..5).map(|n| room_proposal(by, &format!("r{n}"))).collect();
    let (first, second) = tokio::join!(log.append(batch.clone()), log.append(batch));
    assert_eq!([first.unwrap(), second.unwrap()], [2, 7]);
}

async fn secrets_compare_versions_and_expire_and_registers_only_rise(backend: &Backend) {
    let log = backend.log().await;
    let put = |value: &str, if_version, expires| SecretOp::Put { value: value.into(), if_version, expires };
    let first = log.secret("k".into(), put("a", 0, None)).await.unwrap().unwrap();
    assert_eq!(first.value, "a");
    // Another one was here first: the answer is what stands.
    assert_eq!(log.secret("k".into(), put("b", 0, None)).await.unwrap().unwrap(), first);
    let second = log.secret("k".into(), put("b", first.version, None)).await.unwrap().unwrap();
    assert!(second.value == "b" && second.version > first.version);
    assert_eq!(log.secret("k".into(), SecretOp::Delete).await.unwrap(), None);
    assert_eq!(log.secret("k".into(), SecretOp::Get).await.unwrap(), None);
    log.secret("old".into(), put("x", 0, Some(1))).await.unwrap();
    assert_eq!(log.secret("old".into(), SecretOp::Get).await.unwrap(), None);

    let me = AccountId::random();
    let raise = |generation, ordinal| vec![("read:x:0".to_owned(), Pointer { generation, ordinal })];
    log.registers(me, raise(0, 9)).await.unwrap();
    log.registers(me, raise(0, 4)).await.unwrap();
    assert_eq!(log.registers(me, Vec::new()).await.unwrap(), raise(0, 9));
    log.registers(me, raise(1, 2)).await.unwrap();
    assert_eq!(log.registers(me, raise(0, 50)).await.unwrap(), raise(1, 2));
}

async fn a_retry_gets_the_first_outcome_and_another_text_is_refused(backend: &Backend) {
    let here = backend.set_up().await;
    let id = ClientId::random();
    let first = here.post(here.owner, id, "once").await;
    assert!(matches!(first, Outcome::Stored { ordinal: Some(1), .. }), "{first:?}");
    for _ in 0..20 {
        assert_eq!(here.post(here.owner, id, "once").await, first);
    }
    let other = Outcome::Refused { why: Refusal::OtherDraft };
    assert_eq!(here.post(here.owner, id, "another text").await, other);
    let guest = here.member("guest").await;
    assert_eq!(here.post(guest, id, "once").await, other);
    let page = rooms::page(&here.node, here.owner, (here.general, 0), PageAt::Newest, 50, None).unwrap();
    assert_eq!(page.rows.len(), 1);
    // The same when both are in the log already, as two nodes would write them.
    let twice = ClientId::random();
    let proposal = |text: &str| {
        let body = beck::protocol::MessageBody { text: text.into(), quote: None, said: None };
        Proposal::new(here.owner, twice, Kind::Message, &body).room(here.general)
    };
    let batch = vec![proposal("two"), proposal("two"), proposal("three")];
    let g = here.node.broker.append(batch).await.unwrap();
    here.node.wait_folded(g + 2).await;
    let page = rooms::page(&here.node, here.owner, (here.general, 0), PageAt::Newest, 50, None).unwrap();
    let texts: Vec<_> = page.rows.iter().map(|row| row.text.clone().unwrap()).collect();
    assert_eq!(texts, ["once", "two"]);
}

async fn whichever_comes_first_wins_message_or_void(backend: &Backend) {
    let here = backend.set_up().await;
    let (early, late) = (ClientId::random(), ClientId::random());
    let voided = rooms::void(&here.node, here.owner, ClientId::random(), early).await.unwrap();
    assert!(matches!(voided, Outcome::Stored { .. }));
    assert_eq!(here.post(here.owner, early, "x").await, Outcome::Refused { why: Refusal::Void });
    here.post(here.owner, late, "y").await;
    let voided = rooms::void(&here.node, here.owner, ClientId::random(), late).await.unwrap();
    assert_eq!(voided, Outcome::Refused { why: Refusal::TooLate });
    let guest = here.member("guest").await;
    let voided = rooms::void(&here.node, guest, ClientId::random(), late).await.unwrap();
    assert_eq!(voided, Outcome::Refused { why: Refusal::NotAllowed });
    let page = rooms::page(&here.node, here.owner, (here.general, 0), PageAt::Newest, 50, None).unwrap();
    assert_eq!(page.rows.len(), 1);
}

pub fn files_hold(folder: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let holds = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let found: Vec<_> = files.filter(|path| path.is_file() && holds(path)).collect();
    println!("{text} is in {found:?}");
    !found.is_empty()
}

async fn erased_text_is_gone_from_files_and_answers_and_links_agree(backend: &Backend) {
    let here = backend.set_up().await;
    let id = ClientId::random();
    let (first, edited) = ("waterfall-hemlock-first", "waterfall-hemlock-edited");
    // Longer than a page of the file, so that whole pages are given free as well.
    let posted = format!("{}{first}", "long ".repeat(3_000));
    here.post(here.owner, id, &posted).await;
    let act = |slot: &'static str, value| {
        let (own, room, slot) = (ClientId::random(), here.general, slot.to_owned());
        rooms::act(
            &here.node,
            here.owner,
            ActDraft { id: own, room, target: id, slot, value, named: Default::default() },
        )
    };
    act("text", ActValue::Text(edited.into())).await.unwrap();
    act("deleted", ActValue::On(true)).await.unwrap();
    assert!(files_hold(backend.folder(), first) && files_hold(backend.folder(), edited));
    here.post(here.owner, ClientId::random(), "something follows").await;
    erase_message(&here.node, id).await;
    assert!(!files_hold(backend.folder(), first), "the first text is still in a file");
    assert!(!files_hold(backend.folder(), edited), "the edited text is still in a file");
    let entries = here.log().await;
    assert_linked(&entries);
    assert!(entries.iter().filter_map(|entry| entry.body.as_ref()).all(|body| !body.contains("hemlock")));
    let answers = here.node.state.read_anything(|state| {
        let head = state.room_head(here.general)?;
        Ok(format!("{:?} {:?}", state.events(&head, Floor::NONE, 0, 99)?, state.row(id)?))
    });
    assert!(!answers.unwrap().contains("hemlock"));
    // A retry of the erased draft is still no second message.
    let again = here.post(here.owner, id, &posted).await;
    assert!(matches!(again, Outcome::Stored { ordinal: Some(1), .. }), "{again:?}");
    assert_refold_is_equal(backend, here).await;
}

/// All that the state file holds, as text.
pub fn dump(folder: &Path) -> Vec<String> {
    let db = rusqlite::Connection::open(folder.join("state.sqlite")).unwrap();
    let mut tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut lines = Vec::new();
    for table in tables {
        let mut select = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = select.column_count();
        let mut rows = select.query([]).unwrap();
        let mut of_table = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let values = (0..columns).map(|column| format!("{:?}", row.get_ref(column).unwrap()));
            of_table.push(format!("{table}: {}", values.collect::<Vec<_>>().join(" | ")));
        }
        of_table.sort();
        lines.extend(of_table);
    }
    lines
}

async fn assert_refold_is_equal(backend: &Backend, here: TestNode) {
    let directory = here.node.directory();
    let last = here.node.folded();
    let TestNode { node, log, .. } = here;
    drop((node, log));
    // The log is open again once the node's threads have ended.
    drop(backend.log().await);
    let before = dump(backend.folder());
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(backend.folder().join(format!("state.sqlite{ending}")));
    }
    let node = backend.node().await;
    assert_eq!(node.folded(), last);
    assert_eq!(*node.directory(), *directory);
    drop(node);
    assert_eq!(dump(backend.folder()), before);
    assert!(before.len() > 20);
}

async fn a_deleted_state_is_folded_again_to_the_same(backend: &Backend) {
    let here = backend.set_up().await;
    let guest = here.member("guest").await;
    let mut ids = Vec::new();
    for n in 0..30 {
        let id = ClientId::random();
        ids.push(id);
        here.post(if n % 2 == 0 { here.owner } else { guest }, id, &format!("line {n} @guest @room")).await;
        let target = ids[n / 2];
        let (slot, value) = (format!("react:🌊:{guest}"), ActValue::On(n % 3 == 0));
        let act = ActDraft {
            id: ClientId::random(),
            room: here.general,
            target,
            slot,
            value,
            named: Default::default(),
        };
        assert!(rooms::act(&here.node, guest, act).await.is_ok());
    }
    let thread = Draft {
        id: ClientId::random(),
        room: here.general,
        thread: Some(beck::protocol::frame::Answer { to: ids[3], also: false }),
        quote: None,
        text: "in a thread".into(),
        named: Default::default(),
    };
    assert!(matches!(
        rooms::post(&here.node, guest, thread).await.unwrap(),
        Outcome::Stored { ordinal: Some(1), .. }
    ));
    for (id, slot, value) in [
        (ids[0], "text", ActValue::Text("nobody".into())),
        (ids[2], "text", ActValue::Text("@olive".into())),
        (ids[4], "deleted", ActValue::On(true)),
    ] {
        let (own, room, slot) = (ClientId::random(), here.general, slot.to_owned());
        let act = ActDraft { id: own, room, target: id, slot, value, named: Default::default() };
        let acted = rooms::act(&here.node, here.owner, act).await;
        assert!(matches!(acted, Ok(Outcome::Stored { .. })), "{acted:?}");
    }
    rooms::leave(&here.node, guest, here.general).await.unwrap();
    // Not by a client, who is refused before: the fold decides it.
    let body = MessageBody { text: "after leaving".into(), quote: None, said: None };
    let late = Proposal::new(guest, ClientId::random(), Kind::Message, &body).room(here.general);
    assert_eq!(here.node.propose(late).await.unwrap(), Outcome::Refused { why: Refusal::NotFound });
    assert_refold_is_equal(backend, here).await;
}

async fn a_lost_log_never_becomes_a_new_workspace(backend: &Backend) {
    drop(backend.set_up().await);
    drop(backend.node().await);
    backend.lose_log();
    let started = Node::start(config(backend.folder()), backend.log().await).await;
    let fault = started.err().map(|fault| fault.to_string()).unwrap_or_default();
    assert!(fault.contains("The log is gone"), "{fault}");
}

async fn following_tells_a_foreign_place(backend: &Backend) {
    let log = backend.log().await;
    let by = AccountId::random();
    let first = log.create(workspace()).await.unwrap();
    log.append(vec![room_proposal(by, "a"), room_proposal(by, "b")]).await.unwrap();
    // Each entry of a batch is stored by itself: the first one may be seen alone.
    assert!((1..=2).contains(&log.follow(first, 9).await.unwrap().len()));
    let entries = read_all(log.as_ref()).await;
    assert_eq!(log.read(2, 1).await.unwrap(), entries[1..2]);
    assert_eq!(log.read(4, 9).await.unwrap(), []);
    let foreign = "0123456789abcdef".parse().unwrap();
    // A number in the middle, the end, and one that the log never reached.
    for g in [1, 3, 7] {
        for limit in [9, 0] {
            let told = log.follow(Head { g, link: foreign }, limit).await;
            assert!(matches!(told, Err(BrokerError::Rewritten(_))), "{g}: {told:?}");
        }
    }
    // With a limit of 0 it only compares, and never waits.
    for entry in &entries {
        assert_eq!(log.follow(Head { g: entry.header.g, link: entry.link }, 0).await.unwrap(), []);
    }
    // Another one that opens the log later, and has read nothing yet, tells the same.
    drop(log);
    let again = backend.log().await;
    for (g, limit) in [(1, 9), (3, 9), (7, 9), (1, 0), (3, 0), (7, 0)] {
        let told = again.follow(Head { g, link: foreign }, limit).await;
        assert!(matches!(told, Err(BrokerError::Rewritten(_))), "{g}: {told:?}");
    }
    for entry in &entries {
        assert_eq!(again.follow(Head { g: entry.header.g, link: entry.link }, 0).await.unwrap(), []);
    }
    let start = Head::default();
    assert_eq!(again.follow(start, 2).await.unwrap(), entries[..2]);
}

async fn texts_are_opaque_and_calls_keep_their_order(backend: &Backend) {
    let log = backend.log().await;
    let by = AccountId::random();
    log.create(workspace()).await.unwrap();
    let odd = ["", "\r\n*1\r\n$4\r\nQUIT\r\n", "%s %d \\0 \u{0}", "\u{1f30a} 佐藤 {beck}:log", "'\"`--[[ ]]"];
    let mut proposals = Vec::new();
    for n in 0..600 {
        let room = odd[n % odd.len()];
        let mut proposal = room_proposal(by, &format!("{n} {room}"));
        proposal.slot = (n % 3 == 0).then(|| "react:\u{1f30a}:%d\\n".parse().unwrap());
        proposals.push(proposal);
    }
    // Batches of one to five, all on their way before the first is answered.
    let mut appends = Vec::new();
    let mut rest = proposals.clone();
    while !rest.is_empty() {
        let batch: Vec<_> = rest.drain(..rest.len().min(1 + appends.len() % 5)).collect();
        appends.push((batch.len() as u64, log.append(batch)));
    }
    let mut next = 2;
    for (count, append) in appends {
        assert_eq!(append.await.unwrap(), next);
        next += count;
    }
    let entries = read_all(log.as_ref()).await;
    assert_linked(&entries);
    for (proposal, entry) in proposals.iter().zip(&entries[1..]) {
        assert_eq!(entry.body.as_ref(), Some(&proposal.body));
        assert_eq!(entry.header, proposal.header(entry.header.g, entry.header.at));
    }
    assert_eq!(entries.len(), 601);
}

async fn many_who_append_get_numbers_of_their_own(backend: &Backend) {
    let log = backend.log().await;
    let by = AccountId::random();
    log.create(workspace()).await.unwrap();
    let mut tasks = Vec::new();
    for _ in 0..20 {
        let log = log.clone();
        tasks.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            for n in 0..10 {
                let proposal = room_proposal(by, &n.to_string());
                mine.push((proposal.client_id, log.append(vec![proposal]).await.unwrap()));
            }
            mine
        }));
    }
    let mut answered = Vec::new();
    for task in tasks {
        let mine = task.await.unwrap();
        assert!(mine.is_sorted_by_key(|(_, g)| *g));
        answered.extend(mine);
    }
    let entries = read_all(log.as_ref()).await;
    assert_linked(&entries);
    assert_eq!(entries.len(), 201);
    for (id, g) in answered {
        assert_eq!(entries[g as usize - 1].header.client_id, id);
    }
}

async fn only_the_entry_with_the_same_link_is_erased(backend: &Backend) {
    let log = backend.log().await;
    let by = AccountId::random();
    log.create(workspace()).await.unwrap();
    log.append((0..9).map(|n| room_proposal(by, &n.to_string())).collect()).await.unwrap();
    let entries = read_all(log.as_ref()).await;
    let entry = |g: u64| entries[g as usize - 1].head();
    let other = |g: u64| Head { g, link: entries[1].link };
    let left = log.erase(vec![entry(3), other(4), entry(5), other(10), other(40)]).await.unwrap();
    assert_eq!(left, NotErased { newest: false, other: vec![4, 10] });
    // Where the body is gone nothing is left to keep.
    let left = log.erase(vec![entry(3), other(5), entry(10)]).await.unwrap();
    assert_eq!(left, NotErased { newest: true, other: vec![] });
    for log in [&log, &backend.log_beside(&log).await] {
        let after = read_all(log.as_ref()).await;
        assert_linked(&after);
        let gone: Vec<u64> = after.iter().filter(|entry| entry.body.is_none()).map(|e| e.header.g).collect();
        assert_eq!(gone, [3, 5]);
    }
}

async fn erased_bodies_leave_a_whole_log_to_every_reader(backend: &Backend) {
    let log = backend.log().await;
    let by = AccountId::random();
    log.create(workspace()).await.unwrap();
    log.append((0..30).map(|n| room_proposal(by, &n.to_string())).collect()).await.unwrap();
    let before = read_all(log.as_ref()).await;
    assert!(erase(log.as_ref(), &[5, 6, 7, 30]).await);
    assert!(erase(log.as_ref(), &[6, 7, 8]).await, "twice is once");
    assert!(!erase(log.as_ref(), &[9, 31]).await, "the newest one stays");
    for _ in 0..2 {
        let log = backend.log_beside(&log).await;
        let after = read_all(log.as_ref()).await;
        assert_linked(&after);
        for (was, is) in before.iter().zip(&after) {
            let gone = [5, 6, 7, 8, 9, 30].contains(&is.header.g);
            assert_eq!((&was.header, was.link), (&is.header, is.link));
            assert_eq!(is.body.is_none(), gone, "{}", is.header.g);
        }
        // Reads that begin or end among the erased ones.
        let numbers = |entries: Vec<Entry>| entries.iter().map(|e| e.header.g).collect::<Vec<_>>();
        assert_eq!(numbers(log.read(6, 2).await.unwrap()), [6, 7]);
        assert_eq!(numbers(log.read(4, 3).await.unwrap()), [4, 5, 6]);
        assert_eq!(numbers(log.read(29, 9).await.unwrap()), [29, 30, 31]);
        let at = Head { g: 7, link: before[6].link };
        assert_eq!(log.follow(at, 3).await.unwrap()[0].header.g, 8);
    }
    // The log goes on after them.
    assert_eq!(log.append(vec![room_proposal(by, "next")]).await.unwrap(), 32);
    assert_linked(&read_all(log.as_ref()).await);
}

async fn a_proposal_is_stored_only_in_a_log_that_has_its_format(backend: &Backend) {
    let log = backend.log().await;
    let by = AccountId::random();
    let first = log.create(workspace()).await.unwrap();
    let raised = Proposal::new(by, ClientId::random(), Kind::Format, &Format::NEWEST.number());
    let g = log.append(vec![raised]).await.unwrap();
    let since = Head { g, link: log.read(g, 1).await.unwrap()[0].link };
    let room = |name: &str, since: Head| room_proposal(by, name).since(since);
    for (n, since) in [Head::default(), first, since, first].into_iter().enumerate() {
        assert_eq!(log.append(vec![room(&n.to_string(), since)]).await.unwrap(), 3 + n as u64);
    }
    let not_stored = |answer: Result<u64, BrokerError>| {
        assert!(matches!(answer, Err(BrokerError::Refused(_) | BrokerError::Rewritten(_))), "{answer:?}");
    };
    // Not of this log, in the middle, at its end and behind it; a repeat finds the same.
    let foreign = "0123456789abcdef".parse().unwrap();
    for g in [1, 2, 6, 7, 900] {
        for _ in 0..2 {
            let stored = log.append(vec![room("other", Head { g, link: foreign })]).await;
            not_stored(stored);
        }
    }
    let known_elsewhere = Head { g: 3, link: since.link };
    let stored = log.append(vec![room("other", known_elsewhere), room("behind it", since)]).await;
    not_stored(stored);
    let entries = read_all(log.as_ref()).await;
    assert_linked(&entries);
    assert_eq!(entries.len(), 6, "nothing was stored");
    // The log goes on, also after it was opened again.
    assert_eq!(log.append(vec![room("next", since)]).await.unwrap(), 7);
    drop(log);
    let again = backend.log().await;
    let stored = again.append(vec![room("other", Head { g: 2, link: foreign })]).await;
    not_stored(stored);
    assert_eq!(again.append(vec![room("last", since)]).await.unwrap(), 8);
}
