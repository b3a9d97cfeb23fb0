//! A long answer, written on a thread of its own while it is sent.
//!
//! The idea: the writer fills a few blocks and waits for the reader. Weakness: an error after the first block can only break the connection off,
//! since the status was sent. Guarantee: a reader that takes nothing for a minute is given up, and memory holds a few blocks of 64 KiB.

use super::answers::Write2;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use std::io::{self, BufWriter, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Bytes of a block, blocks that wait, and how long the writer waits for a reader.
const BLOCK: usize = 1 << 16;
const WAITING: usize = 4;
const PATIENCE: Duration = Duration::from_secs(60);

struct Pipe {
    to: Sender<io::Result<Bytes>>,
    runtime: Handle,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let block = Bytes::copy_from_slice(bytes);
        let sending = async { tokio::time::timeout(PATIENCE, self.to.send(Ok(block))).await };
        match self.runtime.block_on(sending) {
            Ok(Ok(())) => Ok(bytes.len()),
            _ => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the reader is gone")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Flow(Receiver<io::Result<Bytes>>);

impl HttpBody for Flow {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|block| block.map(|block| block.map(Frame::data)))
    }
}

/// A body that `write` fills; what goes wrong is told, and `held` is dropped at the end.
pub(super) fn of<T: Send + 'static>(write: Write2, tell: impl FnOnce(String) + Send + 'static, held: T) -> Body {
    let (to, from) = channel(WAITING);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let _held = held;
        let failing = to.clone();
        let pipe = Pipe { to, runtime: runtime.clone() };
        let mut out = BufWriter::with_capacity(BLOCK, pipe);
        let written = write(&mut out).map_err(|error| error.to_string());
        if let Err(cause) = written.and_then(|()| out.flush().map_err(|cause| cause.to_string())) {
            tell(cause);
            let broken = io::Error::other("the answer could not be written to its end");
            let _ = runtime.block_on(async { tokio::time::timeout(PATIENCE, failing.send(Err(broken))).await });
        }
    });
    Body::new(Flow(from))
}
