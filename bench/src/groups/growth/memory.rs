//! Resident memory after very many tokens. None of them is kept by the bench.

use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use dev_issuer::Algorithm;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::contenders::{MCP_AUTH, OURS};
use crate::rounds::Spread;
use crate::table::Row;
use crate::world::{Token, World};
use crate::{Failure, machine};

/// Minting is most of the time, and EdDSA is the fastest to sign.
const ALGORITHM: Algorithm = Algorithm::EdDsa;
/// Tokens before the first reading, so that what is allocated once is there.
const WARM_UP: usize = 1000;

pub(super) fn run(tokens: usize) -> Result<Vec<Row>, Failure> {
    // In a process of its own: what others have given back would hide growth.
    let child = Command::new(std::env::current_exe()?)
        .args(["--memory-after", &tokens.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    let growth: Growth = serde_json::from_slice(&child.stdout)?;
    let count = format!("{tokens} tokens");
    let note = match growth.accepted == tokens {
        true => count,
        false => format!("{count}, of which {} were accepted: wrong", growth.accepted),
    };
    let rows = [("memory, valid tokens", growth.valid), ("memory, garbage tokens", growth.garbage)];
    let row = |(work, mebibytes)| {
        Row::new(work, OURS).figure("MiB", Spread::exact(mebibytes)).note(note.clone())
    };
    Ok(rows.into_iter().map(row).collect())
}

/// What a child process has found, in MiB.
#[derive(Serialize, Deserialize)]
struct Growth {
    accepted: usize,
    valid: f64,
    garbage: f64,
}

/// What the child process does: verifies, and prints a [`Growth`] as JSON.
pub(crate) fn report(tokens: usize) -> Result<(), Failure> {
    let world = World::start()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let growth = runtime.block_on(verify(&world, tokens))?;
    println!("{}", serde_json::to_string(&growth)?);
    Ok(())
}

async fn verify(world: &World, tokens: usize) -> Result<Growth, Failure> {
    let auth = MCP_AUTH.make_warm(world, ALGORITHM).await?;
    let scopes = world.fill(ALGORITHM);
    let valid = || Token::new(world.mint(ALGORITHM, scopes));
    let template = valid();
    for number in 0..WARM_UP {
        auth.verify(&valid()).await;
        auth.verify(&garbage(&template, number)).await;
    }
    let mut accepted = 0;
    let at_start = resident()?;
    for _ in 0..tokens {
        accepted += usize::from(auth.verify(&valid()).await);
    }
    let after_valid = resident()?;
    for number in 0..tokens {
        accepted += usize::from(auth.verify(&garbage(&template, number)).await);
    }
    let (valid, garbage) = (after_valid - at_start, resident()? - after_valid);
    Ok(Growth { accepted, valid, garbage })
}

fn resident() -> Result<f64, Failure> {
    machine::resident().ok_or_else(|| "resident memory cannot be read here".into())
}

/// A token that must be refused, in four ways by turns; all of one way differ.
fn garbage(valid: &Token, number: usize) -> Token {
    let (message, signature) = valid.compact.rsplit_once('.').unwrap_or_default();
    let (header, payload) = message.split_once('.').unwrap_or_default();
    Token::new(match number % 4 {
        0 => format!("{message}.{number:08x}{}", &signature[8..]),
        1 => {
            let unknown_key = json!({ "alg": ALGORITHM.as_str(), "kid": format!("{number}") });
            format!("{}.{payload}.{signature}", encode(&unknown_key))
        }
        2 => {
            let unknown_issuer = json!({ "iss": format!("https://{number}.example.com") });
            format!("{header}.{}.{signature}", encode(&unknown_issuer))
        }
        _ => format!("garbage-{number}"),
    })
}

fn encode(part: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(part.to_string())
}
