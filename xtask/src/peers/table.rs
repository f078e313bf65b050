//! A Markdown table that grows by columns.

use std::fmt;

/// Rows appear in the order in which they were first seen.
#[derive(Default)]
pub(super) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<(String, Vec<(usize, String)>)>,
}

impl Table {
    /// Adds to the column of this name, or begins it.
    pub(super) fn add(
        &mut self,
        column: &'static str,
        cells: impl IntoIterator<Item = (String, String)>,
    ) {
        let position = self.columns.iter().position(|known| *known == column);
        let position = position.unwrap_or_else(|| {
            self.columns.push(column);
            self.columns.len() - 1
        });
        for (name, cell) in cells {
            match self.rows.iter_mut().find(|(known, _)| *known == name) {
                Some((_, cells)) => cells.push((position, cell)),
                None => self.rows.push((name, vec![(position, cell)])),
            }
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| | {} |\n|---{}|",
            self.columns.join(" | "),
            "|---".repeat(self.columns.len())
        )?;
        self.rows.iter().try_for_each(|(name, cells)| {
            let cell = |column| cells.iter().find(|(known, _)| *known == column);
            let cells =
                (0..self.columns.len()).map(|column| cell(column).map_or("", |(_, text)| text));
            writeln!(f, "| {name} | {} |", cells.collect::<Vec<_>>().join(" | "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_may_lack_a_row_and_come_in_parts() {
        let row = |name: &str, cell: &str| [(name.to_owned(), cell.to_owned())];
        let mut table = Table::default();
        table.add("a", row("x", "1"));
        table.add("b", row("y", "2"));
        table.add("a", row("z", "3"));
        let expected = "| | a | b |\n|---|---|---|\n| x | 1 |  |\n| y |  | 2 |\n| z | 3 |  |\n";
        assert_eq!(table.to_string(), expected);
    }
}
