//! A broker that stands in another's way in one method and passes the others on.

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
            entries: Vec<u64>,
        ) -> futures::future::BoxFuture<'_, Result<bool, beck::server::broker::BrokerError>> {
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
