//! A client that costs little: ready-made requests, blocking sockets, no HTTP library.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::Failure;

/// In two halves: while the answers of one are read, the server has the requests of the other.
const CONNECTIONS: usize = 32;

/// Keep-alive connections to one server.
pub(crate) struct Load([Vec<Connection>; 2]);

impl Load {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self, Failure> {
        Ok(Self([Self::half(address)?, Self::half(address)?]))
    }

    fn half(address: SocketAddr) -> Result<Vec<Connection>, Failure> {
        (0..CONNECTIONS / 2).map(|_| Connection::new(address)).collect()
    }

    /// Sends the requests; returns when all are answered, with how many were with 200.
    pub(crate) fn send(&mut self, requests: &[&[u8]]) -> Result<usize, Failure> {
        let mut accepted = 0;
        let mut under_way = 0;
        for (turn, batch) in requests.chunks(CONNECTIONS / 2).enumerate() {
            for (connection, request) in self.0[turn % 2].iter_mut().zip(batch) {
                connection.send(request)?;
            }
            // The half before this one.
            accepted += self.receive((turn + 1) % 2, under_way)?;
            under_way = batch.len();
        }
        let last = requests.len().div_ceil(CONNECTIONS / 2) + 1;
        Ok(accepted + self.receive(last % 2, under_way)?)
    }

    /// The body that was answered last on the first connection.
    pub(crate) fn last_body(&self) -> &[u8] {
        let connection = &self.0[0][0];
        let answer = &connection.buffer[..connection.filled];
        find(answer, b"\r\n\r\n").map_or(&[], |head| &answer[head + 4..])
    }

    fn receive(&mut self, half: usize, answers: usize) -> Result<usize, Failure> {
        let mut accepted = 0;
        for connection in &mut self.0[half][..answers] {
            accepted += usize::from(connection.receive()?);
        }
        Ok(accepted)
    }
}

/// One connection, for one request at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// How much of the buffer is the last answer.
    filled: usize,
}

impl Connection {
    pub(crate) fn new(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 64 * 1024], filled: 0 })
    }

    pub(crate) fn send(&mut self, request: &[u8]) -> Result<(), Failure> {
        Ok(self.stream.write_all(request)?)
    }

    /// Reads one answer; whether its status is 200.
    pub(crate) fn receive(&mut self) -> Result<bool, Failure> {
        self.filled = 0;
        loop {
            match self.stream.read(&mut self.buffer[self.filled..])? {
                0 => return Err("the server closed the connection".into()),
                read => self.filled += read,
            }
            if is_whole(&self.buffer[..self.filled]) {
                return Ok(self.buffer.starts_with(b"HTTP/1.1 200 "));
            }
        }
    }
}

/// Whether an answer has arrived to its end: by its length, or by the last of its chunks.
fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = find(answer, b"\r\n\r\n") else { return false };
    let Some(at) = find(&answer[..head], b"content-length: ") else {
        return answer.ends_with(b"\r\n0\r\n\r\n");
    };
    let digits = answer[at + b"content-length: ".len()..].iter().take_while(|b| b.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    answer.len() >= head + 4 + length
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
