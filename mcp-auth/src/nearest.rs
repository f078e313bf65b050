//! Which of several names somebody may have meant who wrote another one.

/// A longer name is like no other, and [`usize::MAX`] letters from each: the cost of a comparison is the product of both lengths.
const LONGEST: usize = 64;

/// The name that is most like the written one, if one is like it: at most a third of its letters are others.
/// Of several, the first.
pub(crate) fn nearest<'n>(
    written: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let wanted = written.trim().to_lowercase();
    let mut best = None;
    for name in names {
        let steps = distance(&wanted, &name.to_lowercase());
        if best.is_none_or(|(fewest, _)| steps < fewest) {
            best = Some((steps, name));
        }
    }
    let (steps, name) = best?;
    (steps.saturating_mul(3) <= name.chars().count().max(3)).then_some(name)
}

/// How many letters must be put in, left out, replaced, or swapped with the next one, to make the one of the other.
pub(crate) fn distance(one: &str, other: &str) -> usize {
    let rows: Vec<char> = one.chars().take(LONGEST + 1).collect();
    let columns: Vec<char> = other.chars().take(LONGEST + 1).collect();
    if rows.len() > LONGEST || columns.len() > LONGEST {
        return usize::MAX;
    }
    // Row by row: how far the first letters of the one are from the first letters of the other.
    let mut before_last = vec![0; columns.len() + 1];
    let mut last: Vec<usize> = (0..=columns.len()).collect();
    for (row, letter) in rows.iter().enumerate() {
        crate::steps::take(columns.len());
        let mut current = vec![row + 1];
        for (column, other_letter) in columns.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != other_letter);
            let shorter = (last[column + 1] + 1).min(current[column] + 1);
            let mut fewest = replaced.min(shorter);
            let is_swap = row > 0
                && column > 0
                && *letter == columns[column - 1]
                && rows[row - 1] == *other_letter;
            if is_swap {
                fewest = fewest.min(before_last[column - 1] + 1);
            }
            current.push(fewest);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[columns.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_differ_are_counted() {
        let rows = [
            ("", "", 0),
            ("", "abc", 3),
            ("tool", "tools", 1),
            ("taks", "task", 1),
            ("tests", "tasks", 2),
            ("é", "e", 1),
        ];
        for (one, other, expected) in rows {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn the_nearest_is_named_unless_nothing_is_near() {
        let names = ["add_note", "delete_note", "list_notes"];
        let rows = [
            ("add_notes", Some("add_note")),
            ("deleteNote", Some("delete_note")),
            (" DELETE_NOTE ", Some("delete_note")),
            ("remove", None),
            ("", None),
        ];
        for (written, expected) in rows {
            assert_eq!(nearest(written, names), expected, "{written:?}");
        }
        let long = "x".repeat(70_000);
        assert_eq!(nearest(&long, names), None);
        assert_eq!(nearest("add_note", [long.as_str()]), None);
    }
}
