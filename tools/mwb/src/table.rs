// SPDX-License-Identifier: GPL-2.0

//! Tables for people: columns that are as wide as their widest cell.

/// The head of a column, and where its cells stand.
#[derive(Clone, Copy)]
pub enum Column {
    Left(&'static str),
    Right(&'static str),
}

impl Column {
    fn head(self) -> String {
        let (Self::Left(head) | Self::Right(head)) = self;
        head.into()
    }

    fn pad(self, cell: &str, width: usize) -> String {
        match self {
            Self::Left(_) => format!("{cell:<width$}"),
            Self::Right(_) => format!("{cell:>width$}"),
        }
    }
}

pub fn table<const N: usize>(
    columns: [Column; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let mut table = Growing::new(columns);
    rows.for_each(|row| table.push(row));
    table.take()
}

/// A table of any length, of which a part is taken now and then: the columns are as wide as its widest cell,
/// and those of all parts before.
pub struct Growing<const N: usize> {
    columns: [Column; N],
    widths: [usize; N],
    lines: Vec<[String; N]>,
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
        self.lines.push(row.map(|cell| printable(&cell)));
    }

    pub fn is_full(&self) -> bool {
        self.lines.len() > Self::PART
    }

    /// What has come since this was called last.
    pub fn take(&mut self) -> String {
        let lines = std::mem::take(&mut self.lines);
        for line in &lines {
            for (width, cell) in self.widths.iter_mut().zip(line) {
                *width = cell.chars().count().max(*width);
            }
        }
        lines.iter().map(|line| self.padded(line)).collect()
    }

    fn padded(&self, line: &[String; N]) -> String {
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
}
