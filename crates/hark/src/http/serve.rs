//! The accept loop: what a client may take, in time and in number, and how it all ends.
//!
//! A client has [`HEADER_PATIENCE`] for its request's head, [`super::body`] gives it 30 s for the body, and
//! [`STALL_PATIENCE`] to take the next bytes of the answer. Connections beyond [`MAX_CONNECTIONS`] get a 503 at once.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, warn};

use super::guard::ListensOn;

const MAX_CONNECTIONS: usize = 4_096;
const HEADER_PATIENCE: Duration = Duration::from_secs(10);
const STALL_PATIENCE: Duration = Duration::from_secs(30);

/// How long a client that is being refused may go on sending before its connection is cut: long enough to read why.
const LINGER: Duration = Duration::from_secs(1);

/// The same for a client that is idle when the server stops.
const LAST_LINGER: Duration = Duration::from_millis(100);

/// How long requests that are being answered have when the server stops.
const STOP_PATIENCE: Duration = Duration::from_secs(6);

/// The longest request head that is read.
const MAX_HEAD_BYTES: usize = 64 << 10;

const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Serves until `stop` is cancelled, then lets requests that are being answered end.
///
/// # Errors
/// When the listener is broken.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> anyhow::Result<()> {
    let listens_on = ListensOn(
        listener
            .local_addr()
            .context("failed to read the address of the listener")?,
    );
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            Some(_ended) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(cause) => {
                    refused(&cause).await;
                    continue;
                }
            },
        };
        let Ok(permit) = room.clone().try_acquire_owned() else {
            // As far as it goes without waiting: this client must not cost anything.
            let _sent = stream.try_write(BUSY);
            continue;
        };
        let connection = connection(stream, router.clone(), listens_on, stop.clone());
        connections.spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(STOP_PATIENCE, all).await.is_err() {
        warn!(
            connections = connections.len(),
            "connections cut at the end of the server"
        );
    }
    Ok(())
}

/// A connection that could not be accepted. Where the process has no room for more, waiting is all there is to do.
async fn refused(cause: &io::Error) {
    let of_client = [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionRefused,
    ];
    if !of_client.contains(&cause.kind()) {
        warn!(error = %cause, "connection not accepted");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn connection(stream: TcpStream, router: Router, listens_on: ListensOn, stop: CancellationToken) {
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(listens_on);
        request.extensions_mut().insert(stop.clone());
        let answer = router.clone().oneshot(request);
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .max_buf_size(MAX_HEAD_BYTES);
    let mut connection = pin!(http.serve_connection(TokioIo::new(Patient::new(stream, stop.clone())), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(cause) = ended {
        debug!(error = %cause, "connection ended");
    }
}

/// A stream that gives up on a client that takes no bytes, and that waits a moment for the client's end when it closes,
/// since a reset would take the answer away from a client that is still sending.
struct Patient {
    stream: TcpStream,
    stalled: Option<Pin<Box<Sleep>>>,
    lingering: Option<Pin<Box<Sleep>>>,
    stop: CancellationToken,
}

impl Patient {
    fn new(stream: TcpStream, stop: CancellationToken) -> Self {
        // Without it small answers may wait for an acknowledgement; a socket that refuses still works.
        let _refused = stream.set_nodelay(true);
        Self {
            stream,
            stalled: None,
            lingering: None,
            stop,
        }
    }

    fn patient<T>(&mut self, task: &mut Task<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALL_PATIENCE)));
        ready!(stalled.as_mut().poll(task));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client takes no bytes",
        )))
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Task<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(task, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(task, bytes);
        self.patient(task, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(task, slices);
        self.patient(task, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(task))?;
            let span = if self.stop.is_cancelled() { LAST_LINGER } else { LINGER };
            self.lingering = Some(Box::pin(sleep(span)));
        }
        let mut scrap = [0_u8; 16 << 10];
        loop {
            if self
                .lingering
                .as_mut()
                .is_some_and(|it| it.as_mut().poll(task).is_ready())
            {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut scrap);
            match ready!(Pin::new(&mut self.stream).poll_read(task, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                // The client's end, or it is gone: either way there is nothing to wait for.
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
