//! A table on the terminal: a row for each question, a column for each run.

use std::{fmt, time::Duration};

#[derive(Debug, Default)]
pub(crate) struct Table {
    caption: String,
    columns: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

impl Table {
    pub(crate) fn new(columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            caption: String::new(),
            columns: columns.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// What is above it.
    pub(crate) fn caption(&mut self, text: String) {
        self.caption = text;
    }

    /// A row with the answer of each column.
    pub(crate) fn row(&mut self, question: &str, answers: impl IntoIterator<Item = String>) {
        self.rows
            .push((question.to_owned(), answers.into_iter().collect()));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |text: &String| text.chars().count();
        let first = self.rows.iter().map(|(name, _)| count(name)).max();
        let first = first.unwrap_or(0);
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(column, name)| {
                let cells = self.rows.iter().filter_map(|(_, cells)| cells.get(column));
                cells.chain([name]).map(count).max().unwrap_or(0)
            })
            .collect();
        let line = |f: &mut fmt::Formatter<'_>, name: &str, cells: &[String]| {
            write!(f, "{name:<first$}")?;
            for (cell, width) in cells.iter().zip(&widths) {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f)
        };
        if !self.caption.is_empty() {
            writeln!(f, "{}", self.caption)?;
        }
        line(f, "", &self.columns)?;
        self.rows
            .iter()
            .try_for_each(|(name, cells)| line(f, name, cells))
    }
}

/// The latency that `percent` of the requests did not exceed.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> String {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).map_or_else(
        || "–".to_owned(),
        |latency| format!("{:.0} ms", latency.as_secs_f64() * 1e3),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_as_wide_as_its_widest_cell() {
        let mut table = Table::new(["a", "long"]);
        table.row("x", ["1".to_owned(), "2".to_owned()]);
        table.row("yyy", ["333".to_owned(), "4".to_owned()]);
        assert_eq!(
            table.to_string(),
            "       a  long\nx      1     2\nyyy  333     4\n"
        );
    }
}
