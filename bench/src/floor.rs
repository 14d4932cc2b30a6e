//! The floor of fan-out on this machine: one thread writes frames to every socket in turn, another reads them. No server
//! that makes one write per delivery can need less CPU time than the writer.

use anyhow::{Context as _, Result, bail};
use clap::Args;
use mio::{Events, Interest, Poll, Token};
use rustix::thread::CpuSet;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Args)]
pub struct Options {
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    sockets: u32,
    /// Length of a frame
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    bytes: u32,
    /// Frames that leave with one write
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    frames_per_write: u32,
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
}

pub fn run(options: Options) -> Result<Value> {
    let length = Duration::try_from_secs_f64(options.seconds).context("--seconds")?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen on 127.0.0.1")?;
    let address = listener.local_addr().context("the listener's address")?;
    let (mut writers, mut readers) = (Vec::new(), Vec::new());
    for _ in 0..options.sockets {
        let reader = TcpStream::connect(address).context("connect")?;
        reader.set_nonblocking(true).context("set_nonblocking")?;
        readers.push(mio::net::TcpStream::from_std(reader));
        let (writer, _) = listener.accept().context("accept")?;
        writer.set_nodelay(true).context("set_nodelay")?;
        writers.push(writer);
    }
    let stop = AtomicBool::new(false);
    let batch = vec![b'x'; (options.bytes * options.frames_per_write) as usize];
    let (written, reader) = thread::scope(|scope| {
        let reader = scope.spawn(|| read_all(readers, &stop));
        let written = write_all(&mut writers, &batch, length);
        stop.store(true, Ordering::Relaxed);
        (written, reader.join())
    });
    let Ok(reader) = reader else { bail!("the reader's thread failed") };
    let (frames, wall, cpu) = written?;
    let frames = frames * f64::from(options.frames_per_write);
    Ok(json!({
        "sockets": options.sockets,
        "frames_per_write": options.frames_per_write,
        "deliveries_per_second": frames / wall.as_secs_f64(),
        "writer_cpu_us_per_delivery": cpu.as_secs_f64() * 1e6 / frames,
        "reader_cpu_us_per_delivery": reader?.as_secs_f64() * 1e6 / frames,
    }))
}

/// Writes `batch` to each socket in turn; gives how many were written, the time, and the thread's CPU time.
fn write_all(writers: &mut [TcpStream], batch: &[u8], length: Duration) -> Result<(f64, Duration, Duration)> {
    pin(0);
    let (start, cpu) = (Instant::now(), own_cpu()?);
    let mut count = 0_u64;
    while start.elapsed() < length {
        for writer in &mut *writers {
            writer.write_all(batch).context("write")?;
            count += 1;
        }
    }
    Ok((count as f64, start.elapsed(), own_cpu()?.saturating_sub(cpu)))
}

/// Reads until `stop`; gives the thread's CPU time.
fn read_all(mut readers: Vec<mio::net::TcpStream>, stop: &AtomicBool) -> Result<Duration> {
    pin(1);
    let mut poll = Poll::new().context("epoll")?;
    for (index, reader) in readers.iter_mut().enumerate() {
        poll.registry().register(reader, Token(index), Interest::READABLE).context("epoll_ctl")?;
    }
    let cpu = own_cpu()?;
    let mut events = Events::with_capacity(1_024);
    let mut buffer = vec![0; 64 * 1024];
    while !stop.load(Ordering::Relaxed) {
        match poll.poll(&mut events, Some(Duration::from_millis(50))) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                return Err(error).context("epoll_wait");
            }
            _ => {}
        }
        for event in &events {
            while readers[event.token().0].read(&mut buffer).is_ok_and(|count| count == buffer.len()) {}
        }
    }
    Ok(own_cpu()?.saturating_sub(cpu))
}

fn own_cpu() -> Result<Duration> {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Ok(Duration::new(u64::try_from(time.tv_sec).context("the thread's clock")?, u32::try_from(time.tv_nsec)?))
}

/// The calling thread runs on this core from now on, if there is such a core.
fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    if let Err(error) = rustix::thread::sched_setaffinity(None, &cores) {
        eprintln!("load: not pinned to core {core}: {error}");
    }
}
