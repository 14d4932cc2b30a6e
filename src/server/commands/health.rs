//! `beck health`: asks the server of this configuration; for container health checks.

use super::Ended;
use crate::server::config::Config;
use futures::FutureExt;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub fn run(config: Config) -> Ended {
    async move {
        let asked = tokio::time::timeout(Duration::from_secs(3), ask(&config)).await;
        match asked {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err("the server answers, but not that it is well".into()),
            Ok(Err(fault)) => Err(format!("no server answers at {}: {fault}", config.address)),
            Err(_) => Err(format!("the server at {} does not answer", config.address)),
        }
    }
    .boxed()
}

async fn ask(config: &Config) -> std::io::Result<bool> {
    let ip = config.address.ip();
    let ip = if ip.is_unspecified() { std::net::Ipv4Addr::LOCALHOST.into() } else { ip };
    let mut socket = tokio::net::TcpStream::connect((ip, config.address.port())).await?;
    socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: health\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    socket.take(1024).read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}
