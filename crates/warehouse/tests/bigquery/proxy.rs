//! A way to the emulator on which answers get lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

/// Forwards connections to one address.
pub(crate) struct Proxy {
    /// Where it listens, `http://127.0.0.1:PORT`.
    pub(crate) address: String,
    cut: Arc<AtomicBool>,
}

impl Proxy {
    /// Begins to forward to `http://HOST:PORT`.
    pub(crate) async fn to(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            cut: Arc::default(),
        };
        let (target, cut) = (address.trim_start_matches("http://").to_owned(), proxy.cut.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&target).await else {
                    continue;
                };
                tokio::spawn(forward(client, server, cut.clone()));
            }
        });
        proxy
    }

    /// The next bytes that the other side says are lost, and the connection with them. What it was told it was told.
    pub(crate) fn lose_the_next_answer(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    /// Whether an answer was lost since that was asked for.
    pub(crate) fn has_lost_it(&self) -> bool {
        !self.cut.load(Ordering::SeqCst)
    }
}

async fn forward(client: TcpStream, server: TcpStream, cut: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
    let mut bytes = vec![0; 1 << 16];
    while let Ok(n_bytes @ 1..) = from_server.read(&mut bytes).await {
        if cut.swap(false, Ordering::SeqCst) || to_client.write_all(&bytes[..n_bytes]).await.is_err() {
            break;
        }
    }
    asking.abort();
}
