//! The one loader's body: everything that the asked page shows.

use super::access::Action;
use super::directory::Directory;
use super::error::AppError;
use super::node::Node;
use super::proxies::Peer;
use super::{accounts, auth, forms, return_path, rooms, threads, unread};
use crate::api::{Boot, BootJson, Notice};
use crate::protocol::frame::Person;
use crate::protocol::{AccountId, ClientId, OwnStatus, Page, PageAt, RoomId, Row, bounds};
use crate::text::mentions;
use axum::http::{HeaderMap, StatusCode, Uri};
use dioxus::prelude::HttpError;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A page's path, as far as it changes what is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Room {
        id: RoomId,
        at: PageAt,
        /// A thread beside it, and where in it.
        thread: Option<(u64, PageAt)>,
    },
    /// What names me, before a number of the log.
    Mentions {
        before: Option<u64>,
    },
    Page,
    Unknown,
}

impl Asked {
    pub fn of(path: &str) -> Asked {
        let parts: Vec<_> = path.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            [""]
            | ["setup" | "sign-in" | "rooms" | "account"]
            | ["join" | "enter", _]
            | ["api", "v1", "boot"] => Asked::Page,
            ["unread"] => Asked::Mentions { before: None },
            ["unread", "before", g] => {
                g.parse().map_or(Asked::Unknown, |g| Asked::Mentions { before: Some(g) })
            }
            ["r", id] => {
                id.parse().map_or(Asked::Unknown, |id| Asked::Room { id, at: PageAt::Newest, thread: None })
            }
            ["r", id, "thread", lane] => Asked::answers(id, lane, Some(PageAt::Newest)),
            ["r", id, "thread", lane, at] => Asked::answers(id, lane, at.parse().ok().map(PageAt::Around)),
            ["r", id, at] => Asked::rows(id, at, PageAt::Around),
            ["r", id, "before", at] => Asked::rows(id, at, PageAt::Before),
            ["r", id, "after", at] => Asked::rows(id, at, PageAt::After),
            _ => Asked::Unknown,
        }
    }

    fn rows(id: &str, ordinal: &str, at: impl Fn(u64) -> PageAt) -> Asked {
        match (id.parse(), ordinal.parse()) {
            (Ok(id), Ok(ordinal)) => Asked::Room { id, at: at(ordinal), thread: None },
            _ => Asked::Unknown,
        }
    }

    fn answers(id: &str, lane: &str, at: Option<PageAt>) -> Asked {
        match (id.parse(), lane.parse(), at) {
            (Ok(id), Ok(lane), Some(at)) if lane > 0 => {
                Asked::Room { id, at: PageAt::Newest, thread: Some((lane, at)) }
            }
            _ => Asked::Unknown,
        }
    }
}

pub async fn boot_json(
    node: &Arc<Node>,
    uri: &Uri,
    headers: &HeaderMap,
    notice: Option<Notice>,
    peer: Option<Peer>,
) -> Result<BootJson, HttpError> {
    let boot = boot(node, uri, headers, notice, peer).await?;
    boot.try_into()
        .map_err(|_| HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "The page could not be made."))
}

async fn boot(
    node: &Arc<Node>,
    uri: &Uri,
    headers: &HeaderMap,
    notice: Option<Notice>,
    peer: Option<Peer>,
) -> Result<Boot, HttpError> {
    let me = node.signed_in(headers).await.map_err(|fault| failed(fault.into()))?;
    let asked = Asked::of(uri.path());
    let page = match (me, asked) {
        (Some(me), Asked::Room { id, at, .. }) => page(node, me, id, at).await.map_err(failed)?,
        _ => None,
    };
    let directory = node.directory();
    let cookie = |name| auth::cookie(headers, name);
    let zone = cookie("zone").and_then(|zone| zone.parse().ok()).filter(|zone| (-900..=900).contains(zone));
    let theme = cookie("theme").filter(|theme| matches!(*theme, "light" | "dark")).unwrap_or("system");
    let mut boot = Boot {
        workspace: directory.workspace.as_ref().map(|w| w.name.clone()).unwrap_or_default(),
        me: me.and_then(|me| directory.person(me)),
        rooms: Vec::new(),
        page: None,
        thread: None,
        mentions: None,
        found: None,
        people: Vec::new(),
        quiet: 0,
        status: OwnStatus::default(),
        zone: zone.unwrap_or(0),
        theme: theme.to_owned(),
        format: match directory.workspace {
            Some(_) => directory.format(),
            None => node.config.newest_format,
        }
        .number(),
        client_id: ClientId::random(),
        join_link: None,
        asks_code: accounts::needs_setup(node) && node.asks_code(peer),
        enters_as: None,
        dead_link: false,
        next: String::new(),
        acknowledged: me.map(|_| node.broker.durability().place).unwrap_or_default(),
        notice: notice.or_else(|| forms::done(uri, headers)),
    };
    let typed = boot.notice.as_ref().map(|notice| notice.field("next")).unwrap_or_default();
    let next = return_path::checked(&typed).or_else(|| return_path::of_query(uri));
    boot.next = next.unwrap_or_default().to_owned();
    if let Some(token) = uri.path().strip_prefix("/enter/") {
        let account = node.enters_as(token).await.map_err(|fault| failed(fault.into()))?;
        boot.enters_as = account.and_then(|account| directory.person(account));
    }
    if let Some(token) = uri.path().strip_prefix("/join/") {
        // Where that cannot be told, the form is there: whether the link is good is asked again when it is sent.
        boot.dead_link = !node.is_join_token(token).await.unwrap_or(true);
        if boot.dead_link {
            dioxus::fullstack::FullstackContext::commit_http_status(StatusCode::GONE, None);
        }
    }
    if boot.asks_code {
        node.print_setup_code().await.map_err(|fault| failed(fault.into()))?;
    }
    let mut gone = false;
    if let Some(me) = me {
        boot.rooms = directory.visible_rooms(me);
        let joined = boot.rooms.iter().filter(|r| r.joined).map(|r| r.id);
        let (badges, quiet) = unread::badges_and_quiet(node, me, joined).await.unwrap_or_default();
        boot.quiet = quiet.number();
        boot.status =
            directory.accounts.get(&me).map(|me| me.status.at(node.log_now_ms())).unwrap_or_default();
        for room in &mut boot.rooms {
            room.badge = badges.get(&room.id).copied().unwrap_or_default();
        }
        boot.people.extend(directory.person(me));
        if let (Asked::Room { id, at, thread }, Some(page)) = (asked, page) {
            if let PageAt::Around(ordinal) = at {
                boot.found = Some((id, 0, ordinal));
            }
            let mut shown = page.clone();
            if let Some((lane, at)) = thread {
                match threads::thread(node, me, (id, lane)).await {
                    Ok(thread) => {
                        let rows = rooms::page(node, me, (id, lane), at, bounds::FIRST_PAGE_ROWS, None);
                        let rows = rows.map_err(failed)?;
                        if let PageAt::Around(ordinal) = at {
                            boot.found = Some((id, lane, ordinal));
                        }
                        shown.rows.extend(rows.rows.iter().chain([&thread.root]).cloned());
                        shown.quotes.extend(rows.quotes.clone());
                        boot.thread = Some((thread, rows));
                    }
                    Err(AppError::NotFound) => gone = true,
                    Err(fault) => return Err(failed(fault)),
                }
            }
            boot.people =
                people(&directory, me, &shown.rows, shown.quotes.values().map(|quote| quote.author));
            boot.page = Some(page);
        }
        if let Asked::Mentions { before } = asked {
            let page = unread::mentions(node, me, before).await.map_err(failed)?;
            boot.people = people(&directory, me, page.mentions.iter().map(|mention| &mention.row), []);
            boot.mentions = Some(page);
        }
        if directory.accounts.len() == 1
            && let Ok(token) = node.join_token().await
        {
            boot.join_link = Some(format!("{}/join/{token}", base_url(node, headers)));
        }
    }
    gone |= match asked {
        Asked::Room { id, .. } => me.is_some_and(|me| !directory.can(me, Action::See, id)),
        Asked::Page | Asked::Mentions { .. } => false,
        Asked::Unknown => true,
    };
    if gone {
        dioxus::fullstack::FullstackContext::commit_http_status(StatusCode::NOT_FOUND, None);
    }
    Ok(boot)
}

/// Rows of a room; none if the account is not in it. Goes by what this server has folded if the log cannot be reached.
async fn page(node: &Node, me: AccountId, id: RoomId, at: PageAt) -> Result<Option<Page>, AppError> {
    let page = || rooms::page(node, me, (id, 0), at, bounds::FIRST_PAGE_ROWS, None);
    match node.sure(|page| matches!(page, Err(AppError::NotFound)), page).await {
        Ok(Err(AppError::NotFound)) | Err(_) => Ok(None),
        Ok(page) => page.map(Some),
    }
}

fn failed(fault: AppError) -> HttpError {
    HttpError { status: fault.status(), message: Some(fault.to_string()) }
}

/// I, the authors of these rows and of what they quote, and those whom they name.
fn people<'a>(
    directory: &Directory,
    me: AccountId,
    rows: impl IntoIterator<Item = &'a Arc<Row>>,
    quoted: impl IntoIterator<Item = AccountId>,
) -> Vec<Person> {
    let mut ids: BTreeSet<_> = quoted.into_iter().collect();
    for row in rows {
        ids.insert(row.author);
        ids.extend(row.reactions.values().flatten().chain(&row.pinned));
        ids.extend(row.answers.iter().flat_map(|answers| &answers.by));
        if let Some(added) = &row.added {
            ids.extend(added.people().map(|(_, account)| *account));
            continue;
        }
        let named = mentions(row.text.as_deref().unwrap_or(""));
        ids.extend(named.iter().filter_map(|handle| directory.handles.get(handle)));
    }
    ids.remove(&me);
    let ids = [me].into_iter().chain(ids);
    ids.filter_map(|id| Some(directory.see_person(me, id)?.to_person())).collect()
}

/// The address that people type: PUBLIC_URL, or what this request used.
pub fn base_url(node: &Node, headers: &HeaderMap) -> String {
    if let Some(url) = &node.config.public_url {
        return url.as_str().to_owned();
    }
    let host = headers.get(axum::http::header::HOST).and_then(|host| host.to_str().ok());
    format!("http://{}", host.unwrap_or("127.0.0.1:8080"))
}
