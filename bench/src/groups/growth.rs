//! What mcp-auth costs when there is much of everything: tokens, issuers, resources, threads.

mod many;
mod memory;
mod threads;

pub(crate) use self::memory::report as report_memory;
use super::Plan;
use crate::Failure;
use crate::table::Section;
use crate::world::World;

const ABOUT: &str = "growth: of resident memory, and of the processor time of a token in a loop (for two threads: of the clock); \
    ratio = many / one";

pub(super) fn run(plan: &Plan) -> Result<Section, Failure> {
    let mut rows = memory::run(plan.tokens)?;
    let world = World::start()?;
    rows.extend(many::run(&world, plan.budget / 2)?);
    rows.extend(threads::run(&world, plan.budget / 2)?);
    Ok(Section { name: "growth", about: ABOUT, rows })
}
