//! Resident memory after very many tokens. None of them is kept by the bench.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use dev_issuer::Algorithm;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::contenders::{MCP_AUTH, OURS};
use crate::table::Row;
use crate::world::{Token, World};
use crate::{Failure, machine};

/// Minting is most of the time, and EdDSA is the fastest to sign.
const ALGORITHM: Algorithm = Algorithm::EdDsa;
/// Tokens before the first reading, so that what is allocated once is there.
const WARM_UP: usize = 1000;

pub(super) fn run(world: &World, tokens: usize) -> Result<Vec<Row>, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let auth = MCP_AUTH.make_warm(world, ALGORITHM).await?;
        let scopes = world.fill(ALGORITHM);
        let valid = || Token::new(world.mint(ALGORITHM, scopes));
        for number in 0..WARM_UP {
            auth.verify(&valid()).await;
            auth.verify(&garbage(&valid(), number)).await;
        }
        let at_start = resident()?;
        let mut accepted = 0;
        for _ in 0..tokens {
            accepted += usize::from(auth.verify(&valid()).await);
        }
        let after_valid = resident()?;
        let template = valid();
        for number in 0..tokens {
            accepted += usize::from(auth.verify(&garbage(&template, number)).await);
        }
        let after_garbage = resident()?;
        let count = format!("{tokens} tokens");
        let note = match accepted == tokens {
            true => count,
            false => format!("{count}, of which {accepted} were accepted: wrong"),
        };
        let row = |work: &str, growth: f64| {
            Row::new(work, OURS).measured(growth, "MiB").note(note.clone())
        };
        Ok(vec![
            row("growth RSS, valid tokens", after_valid - at_start),
            row("growth RSS, garbage tokens", after_garbage - after_valid),
        ])
    })
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
