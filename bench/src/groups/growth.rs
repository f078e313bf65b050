//! What mcp-auth costs when there is much of everything: tokens, issuers, resources, threads.

mod many;
mod memory;
mod threads;

pub(crate) use self::memory::report as report_memory;
use super::Plan;
use crate::Failure;
use crate::table::Section;
use crate::world::World;

const ABOUT: &str = "growth: mcp-auth alone; measured = growth of resident memory or time per request, \
    ratio = many / one";

pub(super) fn run(plan: &Plan) -> Result<Section, Failure> {
    let mut rows = memory::run(plan.tokens)?;
    let world = World::start()?;
    rows.extend(many::run(&world, plan.budget / 2)?);
    rows.extend(threads::run(&world, plan.budget / 2)?);
    Ok(Section { about: ABOUT, rows })
}
