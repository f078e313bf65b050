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
    let told = terminal_size::terminal_size_of(io::stdout());
    columns(
        io::stdout().is_terminal(),
        env::var("COLUMNS").ok().as_deref(),
        told.map(|(columns, _)| usize::from(columns.0)),
    )
}

/// The width of a terminal, as a person names it in `COLUMNS`, or as it tells itself.
fn columns(is_terminal: bool, named: Option<&str>, told: Option<usize>) -> usize {
    if !is_terminal {
        return usize::MAX;
    }
    let wanted = named.and_then(|text| text.parse().ok());
    wanted.or(told).unwrap_or(USUAL).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_the_width_of_the_terminal_and_never_in_a_pipe() {
        let rows = [
            (false, Some("60"), Some(80), usize::MAX),
            (false, None, None, usize::MAX),
            (true, Some("60"), Some(80), 60),
            (true, None, Some(120), 120),
            (true, Some("wide"), Some(80), 80),
            (true, Some("-1"), None, USUAL),
            (true, None, None, USUAL),
            (true, Some("0"), Some(80), LEAST),
            (true, None, Some(5), LEAST),
        ];
        for (is_terminal, named, told, expected) in rows {
            assert_eq!(
                columns(is_terminal, named, told),
                expected,
                "{is_terminal} {named:?} {told:?}"
            );
        }
    }
}
