//! A form that is refused: its page holds what was typed, marks the field that is wrong, and goes on there. Links that
//! are good no more, and addresses of forms that somebody reads.

use crate::support::server::TestServer;
use beck::protocol::ClientId;
use beck::server::router::{self, Method};
use futures::future::join_all;
use reqwest::Client;
use reqwest::redirect::Policy;
use std::collections::BTreeSet;
use tempfile::tempdir;

/// Forms of buttons alone: nothing is typed in them.
const UNTYPED: [&str; 9] = [
    "/sign-out",
    "/sign-out-everywhere",
    "/enter/{token}",
    "/unread/read",
    "/r/{room}/want",
    "/r/{room}/thread/{lane}/follow",
    "/r/{room}/join",
    "/r/{room}/leave",
    "/r/{room}/archive",
];
const SECRETS: [&str; 4] = ["password", "code", "current", "new"];
const NEAR: &str = "203.0.113.9";

/// A form that is refused however often it is sent.
struct Form<'a> {
    route: &'a str,
    path: String,
    cookie: &'a str,
    fields: Vec<(&'a str, &'a str)>,
    /// The field that is marked.
    wrong: Option<&'a str>,
}

struct Answer {
    status: u16,
    location: String,
    page: String,
}

async fn ask(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let location = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    // What a person sees: the data of the page holds everything once more.
    let mut parts = text.split("<script");
    let mut page = parts.next().unwrap_or_default().to_owned();
    page.extend(parts.filter_map(|part| part.split_once("</script>")).map(|(_, after)| after.to_owned()));
    Answer { status, location: location.unwrap_or_default(), page }
}

fn client() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

fn post(server: &TestServer, client: &Client, form: &Form<'_>) -> reqwest::RequestBuilder {
    let request = client.post(format!("{}{}", server.base, form.path)).header("origin", &server.base);
    request.header("x-forwarded-for", NEAR).header("cookie", form.cookie).form(&form.fields)
}

/// Sends what uses up the rate of the account or the address, and then the form until it is refused for that.
async fn too_fast(server: &TestServer, form: &Form<'_>) -> Answer {
    let client = client();
    let path = if form.cookie.is_empty() { "/sign-out" } else { "/r/bbbbbbbbbb/leave" };
    let flood = || {
        let request = client.post(format!("{}{path}", server.base)).header("origin", &server.base);
        request
            .header("x-forwarded-for", NEAR)
            .header("cookie", form.cookie)
            .header("accept", "application/json")
    };
    for _ in 0..50 {
        join_all((0..400).map(|_| flood().send())).await;
        let mut answers = join_all((0..5).map(|_| ask(post(server, &client, form)))).await.into_iter();
        if let Some(answer) = answers.find(|answer| answer.status == 429) {
            return answer;
        }
    }
    panic!("{} has no rate", form.path)
}

/// The opening tags of fields with a name.
fn tags<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let tags = page.split('<').filter_map(|rest| rest.split('>').next());
    let named = format!("name=\"{name}\"");
    tags.filter(|tag| tag.contains(&named)).collect()
}

fn holds(page: &str, name: &str, value: &str) -> bool {
    let valued = format!("value=\"{value}\"");
    let chosen = |list: &str| list.split('<').any(|tag| tag.contains(&valued) && tag.contains(" selected"));
    let boxes = page.split("<textarea").skip(1).filter_map(|rest| rest.split("</textarea>").next());
    let shown = page.split(" unsent-text\"").skip(1).filter_map(|rest| rest.split("</p>").next());
    let lists = page.split("<select").skip(1).filter_map(|rest| rest.split("</select>").next());
    let in_field = tags(page, name)
        .iter()
        .any(|tag| tag.contains(&valued) && (!tag.contains("type=\"checkbox\"") || tag.contains("checked")));
    in_field
        || boxes.chain(shown).any(|text| text.contains(value))
        || lists.into_iter().any(|list| list.contains(&format!("name=\"{name}\"")) && chosen(list))
}

fn is_marked(page: &str, name: &str) -> bool {
    let mut tags = tags(page, name).into_iter();
    tags.any(|tag| tag.contains("aria-invalid=\"true\"") && tag.contains("autofocus"))
}

/// What the page of a refusal does not hold, or should not.
fn lost(form: &Form<'_>, answer: &Answer) -> Vec<String> {
    let Answer { status, page, .. } = answer;
    let mut lost = Vec::new();
    for (name, value) in &form.fields {
        // The page makes a new id.
        let secret = SECRETS.contains(name);
        let right =
            if secret { !page.contains(value) } else { *name == "client_id" || holds(page, name, value) };
        if !right {
            lost.push(format!("{} {status}: {name}", form.path));
        }
    }
    lost
}

async fn faults(server: &TestServer, form: &Form<'_>) -> Vec<String> {
    let answer = ask(post(server, &client(), form)).await;
    assert!(matches!(answer.status, 404 | 422), "{} {}: {}", form.path, answer.status, answer.page);
    let mut faults = lost(form, &answer);
    if form.wrong.is_some_and(|wrong| !is_marked(&answer.page, wrong)) {
        faults.push(format!("{}: {:?} is not marked", form.path, form.wrong));
    }
    if answer.page.matches("autofocus").count() > 1 {
        faults.push(format!("{}: several places to go on", form.path));
    }
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_form_holds_what_was_typed_and_marks_the_field_that_is_wrong() {
    let folders = [tempdir().unwrap(), tempdir().unwrap()];
    let settings = [("TRUSTED_PROXIES", "127.0.0.1")];
    let (server, _) = TestServer::start_set(folders[0].path(), &settings);
    let (fresh, _) = TestServer::start_set(folders[1].path(), &settings);
    let (owner, room) = server.set_up().await;
    let link = server.join_token(&owner, &room).await;
    let guest = server.sign_up_by(&link, "guest").await;
    let (_, _, attic) = server.form("/rooms", &guest, &[("name", "Attic"), ("topic", "")]).await;
    assert_eq!(server.form(&format!("{attic}/archive"), &guest, &[("archived", "1")]).await.0, 303);
    let long = "t".repeat(161);
    let form = |route, path: &str, cookie, fields: &[(_, _)], wrong| Form {
        route,
        path: path.to_owned(),
        cookie,
        fields: fields.to_vec(),
        wrong,
    };
    let room = format!("/r/{room}");
    let (o, g) = (owner.as_str(), guest.as_str());
    let person =
        [("name", "Zoe Typed"), ("handle", "guest"), ("next", "/unread"), ("password", "a long password")];
    let at_door = [("handle", "olive"), ("next", "/account"), ("password", "not my password")];
    let id = ClientId::random().to_string();
    let (join, say) = (format!("/join/{link}"), [("text", "typed with care")]);
    let forms = [
        form("/sign-in", "/sign-in", "", &at_door, Some("password")),
        form("/join/{token}", &join, "", &person, Some("handle")),
        form("/rooms", "/rooms", o, &[("name", "General"), ("topic", "typed topic")], Some("name")),
        form("/rooms", "/rooms", g, &[("name", "Kitchen"), ("topic", &long)], Some("topic")),
        form(
            "/account/status",
            "/account/status",
            o,
            &[("text", &long), ("for", "60"), ("do_not_disturb", "1")],
            Some("text"),
        ),
        form(
            "/account/quiet",
            "/account/quiet",
            o,
            &[("on", "1"), ("from", "21:17"), ("to", "21:17")],
            Some("from"),
        ),
        form("/account/quiet", "/account/quiet", g, &[("from", "21:18"), ("to", "25:19")], Some("from")),
        form(
            "/account/password",
            "/account/password",
            o,
            &[("current", "a secret of mine"), ("new", "shrt9")],
            Some("new"),
        ),
        form("/r/{room}/post", &format!("{room}/post"), o, &say, None),
        form("/r/{room}/post", &format!("{attic}/post"), g, &say, None),
        form("/r/{room}/post", "/r/bbbbbbbbbb/post", o, &say, None),
        form("/r/{room}/post", "/r/bbbbbbbbbb/post", o, &[("client_id", &id), say[0]], None),
        form("/r/{room}/topic", &format!("{room}/topic"), o, &[("topic", &long)], None),
        form("/r/{room}/invite", &format!("{room}/invite"), o, &[("handle", "nobody-here")], None),
    ];
    let first = [
        ("workspace", "Typed Place"),
        ("name", "Typed Name"),
        ("handle", "typed"),
        ("password", "a long password"),
        ("code", "another code"),
    ];
    let set_up = form("/setup", "/setup", "", &first, Some("code"));

    // No form of the router is left out.
    let routes = router::routes();
    let routes = routes.iter().filter(|route| route.method == Method::Post).map(|route| route.path);
    let routes: BTreeSet<_> = routes.collect();
    let walked = forms.iter().chain([&set_up]).map(|form| form.route).chain(UNTYPED);
    assert_eq!(walked.collect::<BTreeSet<_>>(), routes);

    let mut found = faults(&fresh, &set_up).await;
    for form in &forms {
        found.extend(faults(&server, form).await);
    }
    let wrong = [("current", "a secret of mine"), ("new", "another secret")];
    found.extend(faults(&server, &form("", "/account/password", g, &wrong, Some("current"))).await);
    for form in &forms {
        let answer = too_fast(&server, form).await;
        found.extend(lost(form, &answer));
        let goes_on = tags(&answer.page, "name").iter().any(|tag| tag.contains("autofocus"));
        if form.path == "/rooms" && !goes_on
            || form.path == "/sign-in" && !is_marked(&answer.page, "password")
        {
            found.push(format!("{} 429: nowhere to go on", form.path));
        }
    }
    found.extend(lost(&set_up, &too_fast(&fresh, &set_up).await));
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_link_says_so_at_once_and_shows_no_form() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (owner, room) = server.set_up().await;
    let good = format!("{}/join/{}", server.base, server.join_token(&owner, &room).await);
    let client = client();
    let page = ask(client.get(&good)).await;
    assert!(page.status == 200 && page.page.contains("name=\"handle\""), "{}", page.page);
    let person = [("name", "Zoe"), ("handle", "zoe"), ("password", "a long password")];
    for (way, says) in [
        ("join", "This link does not work any more. Ask for a new one."),
        ("enter", "This link was used already, or is more than a day old."),
    ] {
        for token in ["0".repeat(64), "x".into()] {
            let url = format!("{}/{way}/{token}", server.base);
            let page = ask(client.get(&url)).await;
            assert_eq!(page.status, 410, "{url}");
            assert!(page.page.contains(says) && !page.page.contains("<form"), "{url} {}", page.page);
            let refused = ask(client.post(&url).header("origin", &server.base).form(&person)).await;
            assert!(
                refused.status == 422 && refused.page.matches(says).count() == 1,
                "{url} {}",
                refused.page
            );
            assert!(way != "join" || !refused.page.contains("<form"), "{url} {}", refused.page);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_form_sends_is_refused_in_a_sentence() {
    let folder = tempdir().unwrap();
    let server = TestServer::start(folder.path());
    let (owner, room) = server.set_up().await;
    let client = client();
    let room = format!("/r/{room}");
    let (follow, want) = (format!("{room}/thread/99999999999999999999/follow"), format!("{room}/want"));
    let status = "Status: it cannot be cleared after that time. Choose one from the list.";
    let choose = "Choose what to be notified of: everything, mentions or nothing.";
    for (path, field, code, says) in [
        (follow.as_str(), ("follow", "1"), 404, "There is no such thread."),
        ("/account/status", ("for", "-1"), 422, status),
        ("/account/status", ("for", "0"), 422, status),
        ("/account/status", ("for", "4294967295"), 422, status),
        ("/account/status", ("for", "99999999999999999999"), 422, status),
        ("/account/status", ("for", "soon"), 422, status),
        (&want, ("level", "bogus"), 422, choose),
        (&want, ("level", ""), 422, choose),
        (&want, ("other", "1"), 422, choose),
    ] {
        let form =
            Form { route: "", path: path.to_owned(), cookie: &owner, fields: vec![field], wrong: None };
        let answer = ask(post(&server, &client, &form)).await;
        assert!(answer.status == code && answer.page.contains(says), "{path} {field:?} {}", answer.page);
        assert!(!answer.page.contains("Invalid"), "{path} {}", answer.page);
    }
    for path in ["/api/v1/nope", "/api", "/api/v1/boot/more"] {
        let answer = ask(client.get(format!("{}{path}", server.base)).header("cookie", &owner)).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    // The address of a form, read: its page.
    let mut led = 0;
    for (path, to) in [
        ("/sign-out", "/rooms"),
        ("/sign-out-everywhere", "/account"),
        ("/account/password", "/account"),
        ("/account/status", "/account"),
        ("/account/quiet", "/account"),
        ("/unread/read", "/unread"),
        (&format!("{room}/post"), &room),
        (&format!("{room}/topic"), &room),
        (&format!("{room}/thread/1/follow"), &room),
    ] {
        let url = format!("{}{path}", server.base);
        let answer = ask(client.get(&url).header("cookie", &owner)).await;
        assert_eq!((answer.status, answer.location.as_str()), (303, to), "{path}");
        let answer = ask(client.put(&url).header("cookie", &owner).header("origin", &server.base)).await;
        assert!(answer.status == 405 && answer.page.contains("takes no PUT"), "{path} {}", answer.page);
        led += 1;
    }
    assert_eq!(led, 9);
}
