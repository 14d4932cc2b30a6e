//! Whether a peer takes bytes, however few, and how many it has sent.

use std::io::{Error, IoSlice, Result};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What is noted of one socket.
#[derive(Debug, Default)]
struct Noted {
    written: AtomicU64,
    /// When a byte was last read; 0 before one was.
    received: AtomicU64,
    read: AtomicBool,
    /// A request is here in full, and its answer is being made.
    answering: AtomicBool,
    /// Bytes since the last message; and how many there may be, 0 for any number.
    unheard: AtomicU64,
    most: AtomicU64,
}

/// When the system last took bytes that were written to one socket, to the millisecond, and what was read.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Noted>);

impl Progress {
    /// Of a connection that begins now.
    pub fn begin() -> Progress {
        let progress = Progress::default();
        progress.0.received.store(elapsed_ms(), Ordering::Relaxed);
        progress
    }

    pub fn last(&self) -> Instant {
        *BEGAN + Duration::from_millis(self.0.written.load(Ordering::Relaxed))
    }

    /// Notes that a request is here in full: until the guard is dropped, the connection is not idle.
    pub fn answering(&self) -> Answering {
        self.0.answering.store(true, Ordering::Relaxed);
        Answering(self.clone())
    }

    /// Whether a request is here in full and its answer is being made.
    pub fn is_answering(&self) -> bool {
        self.0.answering.load(Ordering::Relaxed)
    }

    /// When a byte last came or went.
    pub fn last_byte(&self) -> Instant {
        self.last().max(*BEGAN + Duration::from_millis(self.0.received.load(Ordering::Relaxed)))
    }

    /// Since when the connection is idle; now, while an answer is being made.
    pub fn moved(&self) -> Instant {
        if self.is_answering() { Instant::now() } else { self.last_byte() }
    }

    /// Whether anything came from the peer.
    pub fn has_read(&self) -> bool {
        self.0.read.load(Ordering::Relaxed)
    }

    /// A whole message came. Reading fails once `most` bytes came after it that make no other one; 0 is no bound. A
    /// WebSocket library bounds what a message holds, not how many fragments it comes in.
    pub fn heard(&self, most: u64) {
        self.0.unheard.store(0, Ordering::Relaxed);
        self.0.most.store(most, Ordering::Relaxed);
    }

    fn note(&self, written: &Poll<Result<usize>>) {
        if let Poll::Ready(Ok(1..)) = written {
            self.0.written.store(elapsed_ms(), Ordering::Relaxed);
        }
    }
}

/// See [`Progress::answering`].
pub struct Answering(Progress);

impl Drop for Answering {
    fn drop(&mut self) {
        // The time to send the answer and to wait for the next request begins.
        self.0.0.received.store(elapsed_ms(), Ordering::Relaxed);
        self.0.0.answering.store(false, Ordering::Relaxed);
    }
}

fn elapsed_ms() -> u64 {
    u64::try_from(BEGAN.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// A socket that notes its progress.
pub struct Noting<S> {
    pub socket: S,
    pub progress: Progress,
    /// Its place among all connections, given up with the socket.
    pub _permit: Option<OwnedSemaphorePermit>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Noting<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context, into: &mut ReadBuf) -> Poll<Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, into);
        let came = (into.filled().len() - before) as u64;
        if came > 0 {
            let noted = &self.progress.0;
            noted.read.store(true, Ordering::Relaxed);
            noted.received.store(elapsed_ms(), Ordering::Relaxed);
            let unheard = noted.unheard.fetch_add(came, Ordering::Relaxed) + came;
            let most = noted.most.load(Ordering::Relaxed);
            if most > 0 && unheard > most {
                return Poll::Ready(Err(Error::other("too many bytes for one message")));
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noting<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.progress.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        pieces: &[IoSlice],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, pieces);
        self.progress.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
