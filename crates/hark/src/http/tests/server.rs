//! The accept loop, over real sockets.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::serve;
use super::support::Running;

struct Server {
    at: SocketAddr,
    stop: CancellationToken,
    ended: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    async fn start(running: &Running) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let stop = running.stop.clone();
        let ended = tokio::spawn(serve(listener, running.router.clone(), stop.clone()));
        Self { at, stop, ended }
    }

    /// Sends bytes and reads until the server closes.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn get(&self, headers: &str) -> String {
        self.exchange(format!("GET /health HTTP/1.1\r\n{headers}connection: close\r\n\r\n").as_bytes())
            .await
    }
}

/// Time is paused: the waits of the server pass as soon as nothing else is to do.
#[tokio::test(start_paused = true)]
async fn a_client_that_never_ends_its_request_is_cut_off() {
    let running = Running::start().await;
    let server = Server::start(&running).await;
    let begun = tokio::time::Instant::now();
    let head = server
        .exchange(b"GET /health HTTP/1.1\r\nhost: localhost\r\nx-slow: ")
        .await;
    assert!(!head.contains("200"), "{head}");
    assert!(begun.elapsed().as_secs() <= 15);
    let body =
        b"POST /detect HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let begun = tokio::time::Instant::now();
    let answer = server.exchange(body).await;
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("too_slow"),
        "{answer}"
    );
    assert!(begun.elapsed().as_secs() <= 35);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_loopback_gets_no_answer_on_loopback() {
    let running = Running::start().await;
    let server = Server::start(&running).await;
    assert!(server.get("host: localhost:8000\r\n").await.starts_with("HTTP/1.1 200"));
    assert!(server.get("host: [::1]:8000\r\n").await.starts_with("HTTP/1.1 200"));
    let foreign = server.get("host: rebound.example:8000\r\n").await;
    assert!(
        foreign.starts_with("HTTP/1.1 421") && foreign.contains("foreign_host"),
        "{foreign}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_cannot_post() {
    let running = Running::start().await;
    let server = Server::start(&running).await;
    let post = async |origin: &str| {
        let head = format!("POST /api/v1/readings HTTP/1.1\r\nhost: localhost:8000\r\norigin: {origin}\r\n");
        server
            .exchange(format!("{head}content-length: 2\r\nconnection: close\r\n\r\n[]").as_bytes())
            .await
    };
    assert!(post("http://localhost:8000").await.starts_with("HTTP/1.1 200"));
    assert!(post("http://evil.example").await.starts_with("HTTP/1.1 403"));
    assert!(post("null").await.starts_with("HTTP/1.1 403"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_too_much_can_still_read_why_it_is_refused() {
    let running = Running::start().await;
    let server = Server::start(&running).await;
    let mut request = b"POST /detect HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3000000\r\n\r\n".to_vec();
    request.resize(request.len() + 3_000_000, b' ');
    let answer = server.exchange(&request).await;
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("too_large"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_ends_with_streams_and_idle_connections_open() {
    let running = Running::start().await;
    let server = Server::start(&running).await;
    let mut stream = TcpStream::connect(server.at).await.unwrap();
    stream
        .write_all(b"GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).await.unwrap();
    let _idle = TcpStream::connect(server.at).await.unwrap();
    server.stop.cancel();
    server.ended.await.unwrap().unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("event: bye"), "{rest}");
}
