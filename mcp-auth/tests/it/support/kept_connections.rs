//! A server that keeps its connections, as real ones do, and does with them what makes trouble.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// What it does with a connection.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// Answers one request, and closes when the next one comes: it was about to close anyway.
    ClosesOnReuse,
    /// Answers, and sends an answer with this body right after it, which nobody asked for.
    AnswersTwice(&'static str),
    /// Both answers are one piece.
    AnswersTwiceAtOnce(&'static str),
    /// Closes without a byte.
    NeverAnswers,
    /// Closes after a part of the head.
    BreaksOff,
}

/// The body for a path and the body that was sent there; `None` is a 404.
type Answer = Arc<dyn Fn(&str, &str) -> Option<String> + Send + Sync>;

/// A server on loopback. It stops when this is dropped.
pub(crate) struct KeptConnections {
    /// Such as `http://127.0.0.1:4711`.
    pub(crate) origin: String,
    requests: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl KeptConnections {
    /// Answers what the function that `answers` makes of its origin says.
    pub(crate) async fn start<F>(manner: Manner, answers: impl FnOnce(String) -> F) -> Self
    where
        F: Fn(&str, &str) -> Option<String> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let answer: Answer = Arc::new(answers(origin.clone()));
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = requests.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, manner.clone(), answer.clone(), counted.clone()));
            }
        });
        Self { origin, requests, task: accepting.abort_handle() }
    }

    /// How many requests came.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for KeptConnections {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    manner: Manner,
    answer: Answer,
    counted: Arc<AtomicUsize>,
) -> io::Result<()> {
    for number in 0.. {
        let (path, body) = read_request(&mut stream).await?;
        counted.fetch_add(1, Ordering::Relaxed);
        let reply = reply_with(answer(&path, &body));
        match &manner {
            Manner::ClosesOnReuse if number > 0 => return Ok(()),
            Manner::ClosesOnReuse => stream.write_all(reply.as_bytes()).await?,
            Manner::AnswersTwice(second) => {
                stream.write_all(reply.as_bytes()).await?;
                // Another turn of the runtime, so that the first may be read alone.
                tokio::task::yield_now().await;
                stream.write_all(reply_with(Some((*second).to_owned())).as_bytes()).await?;
            }
            Manner::AnswersTwiceAtOnce(second) => {
                let both = format!("{reply}{}", reply_with(Some((*second).to_owned())));
                stream.write_all(both.as_bytes()).await?;
            }
            Manner::NeverAnswers => return Ok(()),
            Manner::BreaksOff => return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-").await,
        }
    }
    Ok(())
}

/// The path and the body of the next request.
async fn read_request(stream: &mut TcpStream) -> io::Result<(String, String)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head
        .split_once("content-length: ")
        .map_or("0", |(_, rest)| rest.split("\r\n").next().unwrap());
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await?;
    let path = head.split(' ').nth(1).unwrap().to_owned();
    Ok((path, String::from_utf8(body).unwrap()))
}

fn reply_with(body: Option<String>) -> String {
    let status = if body.is_some() { "200 OK" } else { "404 Not Found" };
    let body = body.unwrap_or_default();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}
