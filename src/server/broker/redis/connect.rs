//! Connections to the store. None retries a command by itself: that could hide an unknown outcome.

use super::fault;
use super::settings::RedisSettings;
use crate::server::broker::BrokerError;
use crate::server::readiness::UnreadyState;
use ::redis::aio::{MultiplexedConnection, PubSub};
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, FromRedisValue, IntoConnectionInfo, Pipeline,
    RedisConnectionInfo, RedisError, TlsCertificates,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A connection must stand after so long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A command must be answered after so long; then its outcome is unknown and its connection dropped.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Makes connections to one store, or to the node of its cluster that holds our keys.
pub struct Connector {
    pub settings: RedisSettings,
    ca: Option<Vec<u8>>,
    moved: Mutex<Option<(String, u16)>>,
}

impl Connector {
    pub fn new(settings: RedisSettings) -> Result<Connector, String> {
        // Another part of the program may have chosen already; both have what TLS needs.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ca = match &settings.ca_file {
            Some(path) => Some(std::fs::read(path).map_err(|fault| {
                format!("REDIS_CA_FILE names {}, which cannot be read: {fault}", path.display())
            })?),
            None => None,
        };
        Ok(Connector { settings, ca, moved: Mutex::new(None) })
    }

    fn moved(&self) -> std::sync::MutexGuard<'_, Option<(String, u16)>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client(&self) -> Result<Client, RedisError> {
        let to = &self.settings;
        let (host, port) = self.moved().clone().unwrap_or_else(|| (to.host.clone(), to.port));
        let address = if to.tls {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        let mut redis = RedisConnectionInfo::default().set_db(to.database).set_skip_set_lib_name();
        if let Some(username) = &to.username {
            redis = redis.set_username(username);
        }
        if let Some(password) = &to.password {
            redis = redis.set_password(password);
        }
        let info = address.into_connection_info()?.set_redis_settings(redis);
        match &self.ca {
            Some(ca) if to.tls => Client::build_with_tls(
                info,
                TlsCertificates { client_tls: None, root_cert: Some(ca.clone()) },
            ),
            _ => Client::open(info),
        }
    }

    /// A connection for commands; each must be answered in time, if `timeout` is said.
    pub async fn connect(&self, timeout: Option<Duration>) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(timeout);
        let connected = self.client()?.get_multiplexed_async_connection_with_config(&config).await;
        if connected.is_err() {
            // The node of the cluster may be gone: ask the address that was set.
            *self.moved() = None;
        }
        connected
    }

    pub async fn listen(&self) -> Result<PubSub, String> {
        let client = self.client().map_err(|fault| self.words(&fault))?;
        match tokio::time::timeout(CONNECT_TIMEOUT, client.get_async_pubsub()).await {
            Ok(connected) => connected.map_err(|fault| self.words(&fault)),
            Err(_) => Err(format!("Redis at {} does not answer", self.settings.address())),
        }
    }

    pub fn words(&self, fault: &RedisError) -> String {
        fault::words(fault, &self.settings)
    }

    /// Heeds what a fault says of where our keys are; `true` if the connection is of no more use.
    pub fn heed(&self, fault: &RedisError) -> bool {
        if fault.code() == Some("MOVED")
            && let Some((address, _slot)) = fault.redirect_node()
            && let Some((host, port)) = address.rsplit_once(':')
            && let Ok(port) = port.parse()
        {
            // An empty host means the one that answered.
            let host = host.trim_matches(['[', ']']);
            let host = if host.is_empty() { &self.settings.host } else { host }.to_owned();
            *self.moved() = Some((host, port));
            return true;
        }
        !fault::answered(fault) || matches!(fault.code(), Some("LOADING" | "READONLY" | "CLUSTERDOWN"))
    }
}

/// Pauses between tries: doubled each time, half to one and a half of it by chance.
pub struct Backoff(Duration);

impl Backoff {
    pub fn new() -> Backoff {
        Backoff(FIRST_PAUSE)
    }

    pub fn next(&mut self) -> Duration {
        let chance = 0.5 + f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0;
        let pause = self.0.mul_f64(chance);
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
        pause
    }
}

/// One connection for commands, made anew after a fault.
pub struct Line {
    pub connector: Arc<Connector>,
    open: tokio::sync::Mutex<Open>,
}

struct Open {
    connection: Option<MultiplexedConnection>,
    /// Rises with each connection.
    serial: u64,
    backoff: Backoff,
    /// Until then the last fault is the answer.
    closed: Option<(Instant, String)>,
}

impl Line {
    pub fn new(connector: Arc<Connector>) -> Line {
        let open = Open { connection: None, serial: 0, backoff: Backoff::new(), closed: None };
        Line { connector, open: tokio::sync::Mutex::new(open) }
    }

    async fn connection(&self) -> Result<(MultiplexedConnection, u64), String> {
        let mut open = self.open.lock().await;
        if let Some(connection) = &open.connection {
            return Ok((connection.clone(), open.serial));
        }
        if let Some((until, why)) = &open.closed
            && Instant::now() < *until
        {
            return Err(why.clone());
        }
        match self.connector.connect(Some(ANSWER_TIMEOUT)).await {
            Ok(connection) => {
                open.serial += 1;
                open.connection = Some(connection.clone());
                open.backoff = Backoff::new();
                open.closed = None;
                Ok((connection, open.serial))
            }
            Err(fault) => {
                let why = self.connector.words(&fault);
                open.closed = Some((Instant::now() + open.backoff.next(), why.clone()));
                Err(why)
            }
        }
    }

    async fn give_up(&self, serial: u64) {
        let mut open = self.open.lock().await;
        if open.serial == serial {
            open.connection = None;
        }
    }

    /// One command. `Err(Err(words))`: it was not sent.
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Result<RedisError, String>> {
        let (mut connection, serial) = self.connection().await.map_err(Err)?;
        match command.query_async(&mut connection).await {
            Ok(answer) => Ok(answer),
            Err(fault) => {
                if self.connector.heed(&fault) {
                    self.give_up(serial).await;
                }
                Err(Ok(fault))
            }
        }
    }

    /// Commands that the store carries out in this order, each for itself: no transaction. Other clients' commands may
    /// come between. Gives the answer or the error of each; `Err` if their answers did not all come.
    pub async fn ask_all<T: FromRedisValue>(
        &self,
        commands: impl IntoIterator<Item = Cmd>,
    ) -> Result<Vec<Result<T, RedisError>>, Result<RedisError, String>> {
        let (mut connection, serial) = self.connection().await.map_err(Err)?;
        let mut pipeline = Pipeline::new();
        for command in commands {
            pipeline.add_command(command);
        }
        pipeline.ignore_errors();
        match pipeline.query_async::<Vec<Result<T, RedisError>>>(&mut connection).await {
            Ok(answers) => {
                let first = answers.iter().find_map(|answer| answer.as_ref().err());
                if first.is_some_and(|fault| self.connector.heed(fault)) {
                    self.give_up(serial).await;
                }
                Ok(answers)
            }
            Err(fault) => {
                if self.connector.heed(&fault) {
                    self.give_up(serial).await;
                }
                Err(Ok(fault))
            }
        }
    }

    /// As [`Line::ask`], with its faults as the broker's caller is told them.
    pub async fn write<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, BrokerError> {
        self.ask(command).await.map_err(|fault| self.broker_error(fault))
    }

    /// A command that changes nothing: asked a second time over a new connection if the first one broke.
    pub async fn read<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, BrokerError> {
        let fault = match self.ask(command).await {
            Ok(answer) => return Ok(answer),
            Err(Ok(fault)) if self.connector.heed(&fault) => match self.ask(command).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            },
            Err(fault) => fault,
        };
        match self.broker_error(fault) {
            BrokerError::Unknown(why) => Err(BrokerError::unready(UnreadyState::StoreUnreachable, why)),
            fault => Err(fault),
        }
    }

    pub fn broker_error(&self, fault: Result<RedisError, String>) -> BrokerError {
        match fault {
            Ok(fault) => fault::broker_error(&fault, &self.connector.settings),
            Err(words) => BrokerError::unready(UnreadyState::StoreUnreachable, words),
        }
    }
}
