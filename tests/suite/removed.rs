//! Between the moment in which a removal is in the state file and the one in which the Directory has it nothing that
//! comes after it is given to the removed, however he asks.

use crate::support::backend::Backend;
use crate::support::pass_on::pass_on;
use crate::support::server::TestClient;
use crate::support::set_up_on;
use beck::protocol::{ClientId, Kind, MessageBody, PageAt};
use beck::server::broker::{Broker, BrokerError, Head, Proposal, SharedBroker};
use beck::server::node::Node;
use beck::server::{rooms, router, serve};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The node asks where the log ends between a full batch and its publishing: here it gets no answer while it is shut.
struct Gate {
    log: SharedBroker,
    open: watch::Sender<bool>,
}

impl Broker for Gate {
    fn head(&self) -> BoxFuture<'_, Result<Option<Head>, BrokerError>> {
        async move {
            let _ = self.open.subscribe().wait_for(|open| *open).await;
            self.log.head().await
        }
        .boxed()
    }

    pass_on!(create append read erase secret registers signals durability follow);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_a_removal_is_given_by_no_way_of_asking() {
    let backend = Backend::embedded();
    let gate = Arc::new(Gate { log: backend.log().await, open: watch::Sender::new(true) });
    let here = set_up_on(backend.folder(), gate.clone()).await;
    let guest = here.member("guest").await;
    let (node, general): (Arc<Node>, _) = (here.node.clone(), here.general);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(serve::serve(
        node.clone(),
        router::router(node.clone(), None),
        listener,
        std::future::pending(),
    ));
    let cookie = format!("beck_login={}", node.sign_in(guest).await.unwrap());
    let mut client = TestClient::connect_at(&host, &cookie).await;

    // One batch as large as the node folds at once: the removal first, and then what the removed may not see.
    let marker = ClientId::random();
    let leave = Proposal::new(here.owner, ClientId::random(), Kind::Leave, &()).room(general);
    let mut batch = vec![leave.target(guest.as_str().parse().unwrap())];
    for n in 0..511 {
        let (id, text) =
            (if n == 0 { marker } else { ClientId::random() }, "after the removal @guest".into());
        batch.push(
            Proposal::new(here.owner, id, Kind::Message, &MessageBody { text, quote: None, said: None })
                .room(general),
        );
    }
    // It asks where the log ends once a second at most.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    gate.open.send_replace(false);
    let first = here.log.append(batch).await.unwrap();
    let committed = || node.state.read_anything(|state| Ok(state.folded()?.0)).unwrap() >= first + 511;
    while !committed() {
        tokio::task::yield_now().await;
    }
    assert!(node.folded() < first, "the moment has passed: the Directory knows of it");
    assert!(node.directory().rooms[&general].members.contains(&guest));

    assert!(rooms::page(&node, guest, (general, 0), PageAt::Newest, 50, None).is_err());
    assert!(rooms::history(&node, guest, general, marker).is_err());
    assert!(rooms::pins(&node, guest, general).is_err());
    assert!(beck::server::unread::mentions(&node, guest, None).await.unwrap().mentions.is_empty());
    let asks = [
        json!({ "t": "page", "req": 1, "room": general, "at": "newest", "limit": 50 }),
        json!({ "t": "fetch", "req": 2, "room": general, "after": 0, "to": 500 }),
        json!({ "t": "headers", "req": 3, "room": general, "after": 0, "to": 500 }),
        json!({ "t": "history", "req": 4, "room": general, "target": marker }),
        json!({ "t": "pins", "req": 5, "room": general }),
    ];
    for ask in &asks {
        client.send(ask.clone()).await;
    }
    // Who is sure of a "no" asks the log first.
    let opens = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        gate.open.send_replace(true);
    };
    let answers = async {
        let mut refused = 0;
        while refused < asks.len() {
            let frame = client.next().await.expect("the socket goes on");
            assert!(!frame.to_string().contains(&marker.to_string()), "{}", frame["t"]);
            refused += usize::from(frame["t"] == "error" && frame["code"] == "not_found");
        }
    };
    tokio::join!(opens, tokio::time::timeout(Duration::from_secs(20), answers))
        .1
        .expect("an answer is missing");
}
