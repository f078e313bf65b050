//! One kind of work of mcp-auth, again and again, for a profile: `cargo xtask bench --profile`.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use dev_issuer::Algorithm;
use tokio::runtime::Builder;

use super::{axum, policy, rmcp};
use crate::Failure;
use crate::contenders::{BARE_CHECK, Contender, Entry, MCP_AUTH, OPEN_GATE, POLICY_OF_10};
use crate::server::{MEASURED, measured};
use crate::world::{Token, World};

/// Tokens that one instance sees.
const TOKENS: usize = 250;
/// How often each of them is seen, where it is to have been seen.
const VISITS: usize = 100;
/// What is walked through where caches must be cold: more than a core has for itself.
const COLD_BYTES: usize = 4 << 20;

/// Warm: one token follows the other. Cold: in between, other memory is read. The others are served over sockets.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum Work {
    SeenWarm,
    SeenCold,
    DistinctWarm,
    DistinctCold,
    AxumSeen,
    AxumDistinct,
    RmcpSeen,
    RmcpDistinct,
    PolicySeen,
}

/// Who does the work, or stands before the server that does it.
#[derive(Clone, Copy, Debug, Default, PartialEq, ValueEnum)]
pub(crate) enum Guard {
    #[default]
    McpAuth,
    BareCheck,
    EmptyLayer,
}

impl Guard {
    fn entry(self) -> Entry {
        match self {
            Self::McpAuth => MCP_AUTH,
            Self::BareCheck => BARE_CHECK,
            Self::EmptyLayer => OPEN_GATE,
        }
    }
}

impl Work {
    /// Repeats it for so long on a thread that is named [`MEASURED`]. Returns how often.
    pub(crate) fn repeat(self, guard: Guard, budget: Duration) -> Result<usize, Failure> {
        let entry = guard.entry();
        match self {
            Self::SeenWarm => in_process(entry, VISITS, false, budget),
            Self::SeenCold => in_process(entry, VISITS, true, budget),
            Self::DistinctWarm => in_process(entry, 1, false, budget),
            Self::DistinctCold => in_process(entry, 1, true, budget),
            Self::AxumSeen => axum::repeat(entry, true, budget),
            Self::AxumDistinct => axum::repeat(entry, false, budget),
            Self::RmcpSeen => rmcp::repeat(entry, true, budget),
            Self::RmcpDistinct => rmcp::repeat(entry, false, budget),
            Self::PolicySeen if guard == Guard::McpAuth => policy::repeat(POLICY_OF_10, budget),
            Self::PolicySeen => policy::repeat(entry, budget),
        }
    }
}

fn in_process(entry: Entry, visits: usize, cold: bool, budget: Duration) -> Result<usize, Failure> {
    let world = World::start()?;
    let tokens = world.tokens(Algorithm::Rs256, TOKENS);
    let end = Instant::now() + budget;
    let mut verified = 0;
    while Instant::now() < end {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let fresh = runtime.block_on(entry.make_warm(&world, Algorithm::Rs256))?;
        verified += thread::scope(|scope| {
            let named = thread::Builder::new().name(MEASURED.to_owned());
            let worker = named
                .spawn_scoped(scope, || measured(|| visit(&*fresh, &tokens, visits, cold, end)))?;
            worker.join().map_err(|_| "the measured thread has panicked")?
        })?;
    }
    Ok(verified)
}

fn visit(
    auth: &dyn Contender,
    tokens: &[Token],
    visits: usize,
    cold: bool,
    end: Instant,
) -> Result<usize, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let memory = vec![1_u8; COLD_BYTES];
    let mut verified = 0;
    for _ in 0..visits {
        for token in tokens {
            if cold {
                walk(&memory);
            }
            runtime.block_on(auth.verify(token));
            verified += 1;
        }
        if Instant::now() > end {
            break;
        }
    }
    Ok(verified)
}

/// Fills the caches with something else. The profile leaves it out by its name.
#[inline(never)]
fn walk(memory: &[u8]) {
    let sum: u64 = memory.iter().step_by(64).map(|byte| u64::from(*byte)).sum();
    black_box(sum);
}
