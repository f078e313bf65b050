//! How long one client waits for an answer, through an example as a reader would copy it.

use std::io::{self, BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use dev_issuer::Algorithm;
use serde_json::json;

use super::{Plan, rmcp};
use crate::Failure;
use crate::contenders::OURS;
use crate::load::Connection;
use crate::rounds::Spread;
use crate::table::{Row, Section};
use crate::world::{Token, World};

const ABOUT: &str = "latency: a tools/call through examples/whoami as it stands, one after the other on one kept connection, a token \
    that was seen; ms by the clock";
/// Requests of a round: a hundredth of them are slower than `p99`.
const REQUESTS: usize = 500;
/// Fewer rounds say nothing.
const FEWEST_ROUNDS: usize = 5;

pub(super) fn run(plan: &Plan) -> Result<Section, Failure> {
    let row = Row::new("whoami, kept connection", OURS);
    let row = match &plan.example {
        Some(example) => measured(row, example, plan.budget / 4)?,
        None => row.note("needs the program (--example), which `cargo xtask bench` builds"),
    };
    Ok(Section { name: "latency", about: ABOUT, rows: vec![row] })
}

fn measured(row: Row, example: &Path, budget: Duration) -> Result<Row, Failure> {
    let world = World::start()?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let resource = format!("http://{address}/mcp");
    let _server = Example::start(example, &address, &resource, world.issuer.issuer())?;
    let token = Token::new(world.mint_for(Algorithm::Rs256, 0, &resource).sign());
    let request = rmcp::call(&address, &token, &json!({}));
    let mut connection = Connection::new(address.parse()?)?;
    // The first request fetches keys.
    ask(&mut connection, &request)?;
    let (mut halves, mut hundredths) = (Vec::new(), Vec::new());
    let end = Instant::now() + budget;
    while halves.len() < FEWEST_ROUNDS || Instant::now() < end {
        let mut times = Vec::new();
        for _ in 0..REQUESTS {
            let start = Instant::now();
            ask(&mut connection, &request)?;
            times.push(start.elapsed().as_secs_f64() * 1000.0);
        }
        times.sort_by(f64::total_cmp);
        halves.push(times[REQUESTS / 2]);
        hundredths.push(times[REQUESTS * 99 / 100]);
    }
    Ok(row.figure("p50 ms", Spread::of(halves)).figure("p99 ms", Spread::of(hundredths)))
}

fn ask(connection: &mut Connection, request: &[u8]) -> Result<(), Failure> {
    connection.send(request)?;
    match connection.receive()? {
        true => Ok(()),
        false => Err("the example refused the request".into()),
    }
}

/// The running example. Dropping it ends the process.
struct Example {
    child: Child,
}

impl Example {
    fn start(program: &Path, address: &str, resource: &str, issuer: &str) -> Result<Self, Failure> {
        let mut child = Command::new(program)
            .env("MCP_AUTH_BIND", address)
            .env("MCP_AUTH_RESOURCE", resource)
            .env("MCP_AUTH_ISSUER", issuer)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("the example has no output")?;
        let example = Self { child };
        let mut output = BufReader::new(stdout);
        let mut line = String::new();
        while !line.starts_with("listening on") {
            line.clear();
            if output.read_line(&mut line)? == 0 {
                return Err("the example does not listen".into());
            }
        }
        // It logs each decision: a pipe that nobody reads is full after some hundred, and the example would wait.
        thread::spawn(move || io::copy(&mut output, &mut io::sink()));
        Ok(example)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // It may have ended already: nothing to report.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
