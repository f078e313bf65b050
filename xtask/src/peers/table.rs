//! A Markdown table that grows by columns.

use std::fmt;

/// Rows appear in the order in which they were first seen.
#[derive(Default)]
pub(super) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    cells: Vec<Cell>,
}

impl Row {
    /// The text in a column; empty when the row has no cell there.
    fn text(&self, column: usize) -> &str {
        match self.cells.iter().find(|cell| cell.column == column) {
            Some(cell) => &cell.text,
            None => "",
        }
    }
}

struct Cell {
    /// The position of the column.
    column: usize,
    text: String,
}

impl Table {
    /// Adds to the column of this name, or begins it.
    pub(super) fn add(
        &mut self,
        title: &'static str,
        cells: impl IntoIterator<Item = (String, String)>,
    ) {
        let column = self.position_of(title);
        for (name, text) in cells {
            let cell = Cell { column, text };
            match self.rows.iter_mut().find(|row| row.name == name) {
                Some(row) => row.cells.push(cell),
                None => self.rows.push(Row { name, cells: vec![cell] }),
            }
        }
    }

    /// Where the column of this title is. A new one comes last.
    fn position_of(&mut self, title: &'static str) -> usize {
        match self.columns.iter().position(|known| *known == title) {
            Some(position) => position,
            None => {
                self.columns.push(title);
                self.columns.len() - 1
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
        for row in &self.rows {
            let texts: Vec<&str> = (0..self.columns.len()).map(|column| row.text(column)).collect();
            writeln!(f, "| {} | {} |", row.name, texts.join(" | "))?;
        }
        Ok(())
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
