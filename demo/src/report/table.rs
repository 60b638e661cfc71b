//! A table: a row for each question, a column for each run; for the terminal and for the page.

use std::{fmt, time::Duration};

use maud::{Markup, Render, html};

#[derive(Debug, Default)]
pub(crate) struct Table {
    caption: String,
    columns: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    /// 0, or what of the row above it this is a part of.
    depth: usize,
    question: String,
    cells: Vec<Cell>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Cell {
    text: String,
    /// Whether it is good, if it is a judgement.
    good: Option<bool>,
}

impl Cell {
    /// A promise that was kept, or how it was broken.
    pub(crate) fn judged(broken: Option<&str>) -> Self {
        Self {
            text: broken.unwrap_or("kept").to_owned(),
            good: Some(broken.is_none()),
        }
    }

    const fn class(&self) -> Option<&'static str> {
        match self.good {
            None => None,
            Some(true) => Some("kept"),
            Some(false) => Some("broken"),
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, good: None }
    }
}

/// The spaces before a question by which it is a part of the one above.
const INDENT: &str = "  ";

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

    /// A row with the answer of each column. Each two spaces before the question make it a part of the one above.
    pub(crate) fn row(
        &mut self,
        question: &str,
        answers: impl IntoIterator<Item = impl Into<Cell>>,
    ) {
        let mut text = question;
        let mut depth = 0;
        while let Some(rest) = text.strip_prefix(INDENT) {
            (text, depth) = (rest, depth + 1);
        }
        self.rows.push(Row {
            depth,
            question: text.to_owned(),
            cells: answers.into_iter().map(Into::into).collect(),
        });
    }

    /// A row with what each run answers.
    pub(crate) fn ask<R, A: ToString>(
        &mut self,
        question: &str,
        runs: &[R],
        answer: impl Fn(&R) -> A,
    ) {
        self.row(question, runs.iter().map(|run| answer(run).to_string()));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |text: &str| text.chars().count();
        let indented = |row: &Row| INDENT.repeat(row.depth) + &row.question;
        let first = self.rows.iter().map(|row| count(&indented(row))).max();
        let first = first.unwrap_or(0);
        let width = |(column, name): (usize, &String)| {
            let cells = self.rows.iter().filter_map(|row| row.cells.get(column));
            let widths = cells.map(|cell| count(&cell.text));
            widths.chain([count(name)]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = self.columns.iter().enumerate().map(width).collect();
        if !self.caption.is_empty() {
            writeln!(f, "{}", self.caption)?;
        }
        write!(f, "{:first$}", "")?;
        for (name, width) in self.columns.iter().zip(&widths) {
            write!(f, "  {name:>width$}")?;
        }
        writeln!(f)?;
        for row in &self.rows {
            write!(f, "{:<first$}", indented(row))?;
            for (cell, width) in row.cells.iter().zip(&widths) {
                write!(f, "  {:>width$}", cell.text)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// For the page.
impl Render for Table {
    fn render(&self) -> Markup {
        html! {
            table {
                caption { (self.caption) }
                thead {
                    tr {
                        td {}
                        @for name in &self.columns { th scope="col" { (name) } }
                    }
                }
                tbody {
                    @for row in &self.rows {
                        tr {
                            th scope="row" class=[(row.depth > 0).then(|| format!("part{}", row.depth))] {
                                (row.question)
                            }
                            @for cell in &row.cells { td class=[cell.class()] { (cell.text) } }
                        }
                    }
                }
            }
        }
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

    fn table() -> Table {
        let mut table = Table::new(["a", "long"]);
        table.row("x", ["1".to_owned(), "2".to_owned()]);
        table.row("  y", ["333".to_owned(), "<4".to_owned()]);
        table
    }

    #[test]
    fn a_column_is_as_wide_as_its_widest_cell() {
        assert_eq!(
            table().to_string(),
            "       a  long\nx      1     2\n  y  333    <4\n"
        );
    }

    #[test]
    fn the_page_has_the_same_cells_and_says_what_they_belong_to() {
        let page = table().render().into_string();
        assert!(
            page.contains(
                "<tr><th scope=\"row\" class=\"part1\">y</th><td>333</td><td>&lt;4</td></tr>"
            ),
            "{page}"
        );
        assert!(page.contains("<th scope=\"col\">long</th>"), "{page}");
    }
}
