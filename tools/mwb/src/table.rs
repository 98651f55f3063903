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
    let mut lines = vec![columns.map(Column::head)];
    lines.extend(rows.map(|row| row.map(|cell| printable(&cell))));
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let padded = |line: &[String; N]| {
        let cells = columns.iter().zip(line).zip(widths);
        let cells: Vec<_> = cells
            .map(|((column, cell), width)| column.pad(cell, width))
            .collect();
        cells.join("  ").trim_end().to_string() + "\n"
    };
    lines.iter().map(padded).collect()
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
    fn may_be_empty() {
        let none = std::iter::empty();
        assert_eq!(
            table([Column::Left("K"), Column::Right("N")], none),
            "K  N\n"
        );
    }
}
