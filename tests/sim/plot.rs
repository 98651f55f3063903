// SPDX-License-Identifier: GPL-2.0

//! Pictures, as SVG.

use std::fmt::Write;

const COLOURS: [&str; 8] = [
    "#999999", "#d55e00", "#0072b2", "#cc79a7", "#e69f00", "#009e73", "#56b4e9", "#000000",
];

struct Svg {
    text: String,
    height: f64,
}

impl Svg {
    const WIDTH: f64 = 760.0;

    fn new(height: f64) -> Self {
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" font-family=\"sans-serif\" \
             font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
            Self::WIDTH
        );
        Self { text, height }
    }

    fn label(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        writeln!(
            self.text,
            "<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"{anchor}\">{text}</text>"
        )
        .unwrap();
    }

    fn line(&mut self, points: &[(f64, f64)], colour: &str, width: f64) {
        let points: String = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1} "))
            .collect();
        writeln!(
            self.text,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>",
            points.trim_end()
        )
        .unwrap();
    }

    fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}

/// Use of each line over time, a panel per policy: the lines in grey, the most used one in colour.
pub fn uses(panels: &[(&str, Vec<Vec<f64>>)]) -> String {
    const PANEL: f64 = 150.0;
    let mut svg = Svg::new(PANEL * panels.len() as f64 + 30.0);
    for (i, (policy, rows)) in panels.iter().enumerate() {
        let top = PANEL * i as f64 + 25.0;
        let x = |s: usize| 50.0 + s as f64 * (Svg::WIDTH - 70.0) / (rows.len() - 1) as f64;
        let y = |value: f64| top + (1.0 - value) * (PANEL - 40.0);
        for (value, text) in [(0.0, "0"), (0.6, "60 %"), (1.0, "100 %")] {
            svg.line(
                &[(x(0), y(value)), (x(rows.len() - 1), y(value))],
                "#dddddd",
                1.0,
            );
            svg.label(44.0, y(value) + 4.0, "end", text);
        }
        for line in 0..rows[0].len() {
            let points: Vec<_> = rows
                .iter()
                .enumerate()
                .map(|(s, row)| (x(s), y(row[line])))
                .collect();
            svg.line(&points, "#aaaaaa", 0.8);
        }
        let most = |row: &Vec<f64>| row.iter().copied().fold(0.0, f64::max);
        let points: Vec<_> = rows
            .iter()
            .enumerate()
            .map(|(s, row)| (x(s), y(most(row))))
            .collect();
        svg.line(&points, COLOURS[1], 1.8);
        svg.label(
            50.0,
            top - 8.0,
            "start",
            &format!("{policy}: use of 16 lines over {} s", rows.len()),
        );
    }
    svg.finish()
}

/// Greatest use in relation to the use of all, against load, a curve per policy.
pub fn loads(curves: &[(&str, Vec<(f64, f64)>)]) -> String {
    const MOST: f64 = 3.0;
    let mut svg = Svg::new(420.0);
    let (left, right, bottom) = (50.0, Svg::WIDTH - 170.0, svg.height - 40.0);
    let x = |load: f64| left + load * (right - left);
    let y = |value: f64| bottom - (value.min(MOST) - 1.0) / (MOST - 1.0) * (bottom - 20.0);
    for i in 0..=8 {
        let value = 1.0 + f64::from(i) / 4.0;
        svg.line(&[(x(0.0), y(value)), (x(1.0), y(value))], "#dddddd", 1.0);
        svg.label(left - 6.0, y(value) + 4.0, "end", &format!("{value:.2}"));
    }
    for i in 0..=5 {
        svg.label(
            x(f64::from(i) / 5.0),
            bottom + 16.0,
            "middle",
            &format!("{} %", i * 20),
        );
    }
    svg.label((left + right) / 2.0, bottom + 32.0, "middle", "load");
    svg.label(
        left,
        12.0,
        "start",
        "max/mean use over 1 s, 16 unlike lines",
    );
    for (i, (policy, points)) in curves.iter().enumerate() {
        let points: Vec<_> = points
            .iter()
            .map(|(load, value)| (x(*load), y(*value)))
            .collect();
        let width = if policy.starts_with("mwb") { 2.5 } else { 1.4 };
        svg.line(&points, COLOURS[i], width);
        let at = 30.0 + 18.0 * i as f64;
        svg.line(&[(right + 14.0, at), (right + 34.0, at)], COLOURS[i], width);
        svg.label(right + 40.0, at + 4.0, "start", policy);
    }
    svg.finish()
}
