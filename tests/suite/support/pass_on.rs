//! A broker that stands in another's way in one method and passes the others on.

use beck::server::broker::{Broker, BrokerError, Entry, Head};
use tokio::sync::Notify;

/// Writes methods of `Broker` that pass on to the broker in the field `log`.
macro_rules! pass_on {
    ($($method:ident)*) => { $($crate::support::pass_on::pass_on!(@ $method);)* };
    (@ create) => {
        fn create(
            &self,
            first: beck::server::broker::Proposal,
        ) -> futures::future::BoxFuture<'_, Result<beck::server::broker::Head, beck::server::broker::BrokerError>> {
            self.log.create(first)
        }
    };
    (@ append) => {
        fn append(
            &self,
            batch: Vec<beck::server::broker::Proposal>,
        ) -> futures::future::BoxFuture<'static, Result<u64, beck::server::broker::BrokerError>> {
            self.log.append(batch)
        }
    };
    (@ follow) => {
        fn follow(
            &self,
            after: beck::server::broker::Head,
            limit: usize,
        ) -> futures::future::BoxFuture<'_, Result<Vec<beck::server::broker::Entry>, beck::server::broker::BrokerError>> {
            self.log.follow(after, limit)
        }
    };
    (@ head) => {
        fn head(
            &self,
        ) -> futures::future::BoxFuture<'_, Result<Option<beck::server::broker::Head>, beck::server::broker::BrokerError>> {
            self.log.head()
        }
    };
    (@ read) => {
        fn read(
            &self,
            from: u64,
            limit: usize,
        ) -> futures::future::BoxFuture<'_, Result<Vec<beck::server::broker::Entry>, beck::server::broker::BrokerError>> {
            self.log.read(from, limit)
        }
    };
    (@ erase) => {
        fn erase(
            &self,
            entries: Vec<beck::server::broker::Head>,
        ) -> futures::future::BoxFuture<'_, Result<beck::server::broker::NotErased, beck::server::broker::BrokerError>> {
            self.log.erase(entries)
        }
    };
    (@ secret) => {
        fn secret(
            &self,
            key: String,
            op: beck::server::broker::SecretOp,
        ) -> futures::future::BoxFuture<
            '_,
            Result<Option<beck::server::broker::Secret>, beck::server::broker::BrokerError>,
        > {
            self.log.secret(key, op)
        }
    };
    (@ registers) => {
        fn registers(
            &self,
            account: beck::protocol::AccountId,
            raise: Vec<(String, beck::protocol::Pointer)>,
        ) -> futures::future::BoxFuture<
            '_,
            Result<Vec<(String, beck::protocol::Pointer)>, beck::server::broker::BrokerError>,
        > {
            self.log.registers(account, raise)
        }
    };
    (@ signals) => {
        fn signals(&self) -> beck::server::broker::Signals {
            self.log.signals()
        }
    };
    (@ durability) => {
        fn durability(&self) -> beck::server::broker::Durability {
            self.log.durability()
        }
    };
}
pub(crate) use pass_on;

/// Follows a log until there is a fault, which `changed` tells of: also in the middle of the wait.
pub async fn follow_until_fault(
    log: &dyn Broker,
    (after, limit): (Head, usize),
    changed: &Notify,
    fault: impl Fn() -> Option<BrokerError>,
) -> Result<Vec<Entry>, BrokerError> {
    let changed = changed.notified();
    tokio::pin!(changed);
    changed.as_mut().enable();
    if let Some(fault) = fault() {
        return Err(fault);
    }
    tokio::select! {
        entries = log.follow(after, limit) => entries,
        () = changed => fault().map_or(Ok(Vec::new()), Err),
    }
}
