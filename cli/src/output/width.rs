//! How wide a line may be.

use std::env;
use std::io::{self, IsTerminal as _};

/// Columns of a terminal that does not tell how many it has.
const USUAL: usize = 100;
/// In fewer columns, lines are broken as if there were so many.
const LEAST: usize = 40;

/// Where lines are broken on standard output: at the width of the terminal. In a pipe they are not, so
/// that programs such as `grep` find whole sentences.
pub(super) fn of_stdout() -> usize {
    if !io::stdout().is_terminal() {
        return usize::MAX;
    }
    let named = env::var("COLUMNS").ok().and_then(|text| text.parse::<usize>().ok());
    let told = terminal_size::terminal_size_of(io::stdout());
    let columns = named.or(told.map(|(columns, _)| usize::from(columns.0)));
    columns.unwrap_or(USUAL).max(LEAST)
}
