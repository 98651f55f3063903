// SPDX-License-Identifier: GPL-2.0

//! Tables for people: columns that are as wide as their widest cell.

use std::fmt;

/// The head of a column, and where its cells stand.
#[derive(Clone, Copy)]
pub enum Column {
    Left(&'static str),
    Right(&'static str),
}

impl Column {
    fn head(self) -> Cell {
        let (Self::Left(head) | Self::Right(head)) = self;
        Cell::from(head.to_string())
    }

    fn pad(self, cell: &Cell, width: usize) -> String {
        let gap = " ".repeat(width.saturating_sub(cell.width()));
        match self {
            Self::Left(_) => format!("{cell}{gap}"),
            Self::Right(_) => format!("{gap}{cell}"),
        }
    }
}

/// What a terminal does to a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Paint {
    Red,
    Yellow,
    Green,
}

/// A cell, perhaps painted.
#[derive(Clone)]
pub struct Cell {
    text: String,
    paint: Option<Paint>,
}

impl Cell {
    pub fn painted(text: String, paint: Option<Paint>) -> Self {
        let text = printable(&text);
        Self { text, paint }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::painted(text, None)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = match self.paint {
            None => return f.write_str(&self.text),
            Some(Paint::Red) => 31,
            Some(Paint::Yellow) => 33,
            Some(Paint::Green) => 32,
        };
        write!(f, "\x1b[{code}m{}\x1b[0m", self.text)
    }
}

pub struct Table {
    columns: Vec<Column>,
    lines: Vec<Vec<Cell>>,
    widths: Vec<usize>,
}

impl Table {
    pub fn new<Row>(
        columns: impl IntoIterator<Item = Column>,
        rows: impl Iterator<Item = Row>,
    ) -> Self
    where
        Row: IntoIterator<Item: Into<Cell>>,
    {
        let columns: Vec<_> = columns.into_iter().collect();
        let heads = columns.iter().map(|column| column.head()).collect();
        let mut lines: Vec<Vec<Cell>> = vec![heads];
        lines.extend(rows.map(|row| row.into_iter().map(Into::into).collect()));
        let mut widths = vec![0; columns.len()];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = cell.width().max(*width);
            }
        }
        Self {
            columns,
            lines,
            widths,
        }
    }

    pub fn width(&self) -> usize {
        self.widths.iter().sum::<usize>() + 2 * self.widths.len().saturating_sub(1)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            let cells = self.columns.iter().zip(line).zip(&self.widths);
            let cells: Vec<_> = cells
                .map(|((column, cell), width)| column.pad(cell, *width))
                .collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

pub fn table<const N: usize>(
    columns: [Column; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    Table::new(columns, rows).to_string()
}

/// A table of any length, of which a part is taken now and then: the columns are as wide as its widest cell,
/// and those of all parts before.
pub struct Growing<const N: usize> {
    columns: [Column; N],
    widths: [usize; N],
    lines: Vec<[Cell; N]>,
}

impl<const N: usize> Growing<N> {
    /// Lines that make up a part.
    const PART: usize = 1000;

    pub fn new(columns: [Column; N]) -> Self {
        Self {
            columns,
            widths: [0; N],
            lines: vec![columns.map(Column::head)],
        }
    }

    pub fn push(&mut self, row: [String; N]) {
        self.lines.push(row.map(Cell::from));
    }

    pub fn is_full(&self) -> bool {
        self.lines.len() > Self::PART
    }

    /// What has come since this was called last.
    pub fn take(&mut self) -> String {
        let lines = std::mem::take(&mut self.lines);
        for line in &lines {
            for (width, cell) in self.widths.iter_mut().zip(line) {
                *width = cell.width().max(*width);
            }
        }
        lines.iter().map(|line| self.padded(line)).collect()
    }

    fn padded(&self, line: &[Cell; N]) -> String {
        let cells = self.columns.iter().zip(line).zip(self.widths);
        let cells: Vec<_> = cells
            .map(|((column, cell), width)| column.pad(cell, width))
            .collect();
        cells.join("  ").trim_end().to_string() + "\n"
    }
}

/// The name of a device may hold anything but white space, even what a terminal obeys.
pub fn printable(text: &str) -> String {
    text.replace(char::is_control, "?")
}

/// A value, or what stands for one that the kernel has not told.
pub fn known(value: Option<impl ToString>) -> String {
    value.map_or("-".into(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_as_wide_as_its_cells() {
        let rows = [["a", "1", "x"], ["bcdé", "22", "\x1b[2J"]];
        let rows = rows.map(|row| row.map(String::from)).into_iter();
        assert_eq!(
            table(
                [Column::Left("K"), Column::Right("N"), Column::Left("LAST")],
                rows
            ),
            "K      N  LAST\na      1  x\nbcdé  22  ?[2J\n"
        );
    }

    #[test]
    fn is_taken_in_parts() {
        let mut table = Growing::new([Column::Left("K"), Column::Right("N")]);
        table.push(["long".into(), "1".into()]);
        assert_eq!(table.take(), "K     N\nlong  1\n");
        table.push(["a".into(), "22".into()]);
        assert_eq!(table.take(), "a     22\n");
        assert_eq!(table.take(), "");
    }

    #[test]
    fn may_be_empty() {
        let none = std::iter::empty();
        assert_eq!(
            table([Column::Left("K"), Column::Right("N")], none),
            "K  N\n"
        );
    }

    #[test]
    fn paint_takes_no_room() {
        let rows = [[
            Cell::painted("up".into(), Some(Paint::Green)),
            Cell::painted("\x1b[31m".into(), Some(Paint::Red)),
        ]];
        let table = Table::new(
            [Column::Right("STATE"), Column::Left("N")],
            rows.into_iter(),
        );
        assert_eq!(table.width(), 12);
        assert_eq!(
            table.to_string(),
            "STATE  N\n   \x1b[32mup\x1b[0m  \x1b[31m?[31m\x1b[0m\n"
        );
    }
}
