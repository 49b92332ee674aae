//! A connection that ends when its caller takes an answer too slowly.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// How fast an answer must be taken, as long as some of it waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeastRate {
    /// So many bytes …
    pub(super) bytes: usize,
    /// … in this time.
    pub(super) time: Duration,
}

/// A connection that ends when its caller takes less than the least rate.
pub(super) struct Taken {
    stream: TokioIo<TcpStream>,
    rate: LeastRate,
    /// What must still be taken and until when, while something waits.
    due: Option<(usize, Pin<Box<Sleep>>)>,
}

impl Taken {
    pub(super) fn new(stream: TcpStream, rate: LeastRate) -> Self {
        Self { stream: TokioIo::new(stream), rate, due: None }
    }

    fn bounded(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            let bytes = written.as_ref().copied().unwrap_or_default();
            let is_taken = self.due.as_mut().is_none_or(|(due, _)| {
                *due = due.saturating_sub(bytes);
                *due == 0
            });
            if is_taken {
                self.due = None;
            }
            return Poll::Ready(written);
        }
        let LeastRate { bytes, time } = self.rate;
        let (_, until) = self.due.get_or_insert_with(|| (bytes, Box::pin(tokio::time::sleep(time))));
        until.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Read for Taken {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl Write for Taken {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.bounded(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when all that there was to write is written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.due = None;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
