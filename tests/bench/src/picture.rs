//! Pictures, as SVG: cost against the size of the crowd, both axes logarithmic, one line an
//! implementation, ours bold; light or dark as the reader's page is.

use std::fmt::Write as _;

use crate::measure::Row;

/// What is drawn: the file's name, the title, the group and the case.
const PICTURES: &[(&str, &str, &str, &str)] = &[
    (
        "followers-of-a-key",
        "One call does the work for all at a key: cost of each of n followers",
        "followers",
        "of a key: join + land + observe",
    ),
    (
        "followers-of-a-cell",
        "One call makes the value of a cell: cost of each of n who wait for it",
        "followers",
        "of a cell: join + land + observe",
    ),
    (
        "broadcast",
        "All are told: cost of each of n waiters",
        "broadcast",
        "register + wake + observe",
    ),
    (
        "chain",
        "A lock goes from one to the next: cost of each of n waiters",
        "chain",
        "register + hand on + observe",
    ),
    (
        "follower-cancel",
        "One of n followers at a key joins and gives up",
        "follower-cancel",
        "of a key: join + cancel",
    ),
];

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 470.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 610.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 416.0;

const STYLE: &str = "text{font:13px 'DejaVu Sans',Verdana,sans-serif;fill:#24292f}.t{font-size:16px;font-weight:bold}\
.s{fill:#57606a}.b{font-weight:bold}.p{fill:#fff}.g{stroke:#d0d7de}.f{stroke:#eaeef2}path,line{fill:none}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9aa4af}.p{fill:#0d1117}.g{stroke:#3d444d}.f{stroke:#21262d}}";

/// Readable on white and on near black.
const OURS: &[&str] = &["#1f6feb", "#0e8a8a", "#5a5fd8"];
const THEIRS: &[&str] = &[
    "#bc4c00", "#8250df", "#1a9e4b", "#bf8700", "#cf4a8b", "#768390", "#d1242f", "#6f7d1f",
];

struct Line<'a> {
    name: &'a str,
    ours: bool,
    points: Vec<(f64, f64)>,
}

/// The pictures for which there are rows of at least two sizes, with their names.
pub fn all(rows: &[Row]) -> Vec<(&'static str, String)> {
    let one = |&(name, title, group, case): &(&'static str, &str, &str, &str)| {
        let of: Vec<_> = rows
            .iter()
            .filter(|row| row.group == group && row.case == case)
            .collect();
        let mut lines: Vec<Line<'_>> = Vec::new();
        for row in of {
            let point = (row.n as f64, row.x);
            match lines
                .iter_mut()
                .find(|line| line.name == row.implementation)
            {
                Some(line) => line.points.push(point),
                None => lines.push(Line {
                    name: row.implementation,
                    ours: row.is_ours(),
                    points: vec![point],
                }),
            }
        }
        let enough = lines.iter().any(|line| line.points.len() > 1);
        enough.then(|| (name, draw(title, &lines)))
    };
    PICTURES.iter().filter_map(one).collect()
}

fn span(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    (low, values.fold(0.0, f64::max))
}

fn draw(title: &str, lines: &[Line<'_>]) -> String {
    let points = lines.iter().flat_map(|line| &line.points);
    let (least_n, most_n) = span(points.clone().map(|point| point.0));
    let (least, most) = span(points.map(|point| point.1));
    // A little air above and below.
    let (low, high) = ((least / 1.25).ln(), (most * 1.25).ln());
    let across = |n: f64| LEFT + (n / least_n).ln() / (most_n / least_n).ln() * (RIGHT - LEFT);
    let up = |x: f64| BOTTOM - (x.ln() - low) / (high - low) * (BOTTOM - TOP);

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\">\
         <style>{STYLE}</style><rect class=\"p\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"t\" x=\"16\" y=\"26\">{title}</text>\n\
         <text class=\"s\" x=\"16\" y=\"48\">times one raw compare-and-swap + swap; both axes logarithmic; lower is better</text>\n"
    );
    for decade in -2..6 {
        for step in 1..10 {
            let x = f64::from(step) * 10_f64.powi(decade);
            if !(low..=high).contains(&x.ln()) {
                continue;
            }
            let (y, class) = (up(x), if step == 1 { "g" } else { "f" });
            let _ = writeln!(
                svg,
                "<line class=\"{class}\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\"/>"
            );
            if matches!(step, 1 | 2 | 5) {
                let _ = writeln!(
                    svg,
                    "<text class=\"s\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{x}</text>",
                    LEFT - 8.0,
                    y + 4.5
                );
            }
        }
    }
    let mut n = least_n;
    while n <= most_n {
        let at = across(n);
        let _ = writeln!(
            svg,
            "<line class=\"g\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{BOTTOM}\"/>\
             <text class=\"s\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            BOTTOM + 20.0,
            thousands(n),
        );
        n *= 10.0;
    }
    let _ = writeln!(
        svg,
        "<text class=\"s\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">n</text>",
        (LEFT + RIGHT) / 2.0,
        BOTTOM + 40.0
    );
    curves(&mut svg, lines, across, up);
    svg.push_str("</svg>\n");
    svg
}

/// The lines, those of ours last, so that they are on top; and their names, moved apart.
fn curves(
    svg: &mut String,
    lines: &[Line<'_>],
    across: impl Fn(f64) -> f64,
    up: impl Fn(f64) -> f64,
) {
    let (mut ours, mut theirs) = (OURS.iter().cycle(), THEIRS.iter().cycle());
    let mut drawn: Vec<_> = lines
        .iter()
        .filter_map(|line| {
            let colour = if line.ours { &mut ours } else { &mut theirs }.next()?;
            let end = line.points.last()?;
            Some((line, *colour, across(end.0), up(end.1)))
        })
        .collect();
    drawn.sort_by_key(|(line, ..)| line.ours);
    for (line, colour, ..) in &drawn {
        let mut path = String::new();
        for (place, (n, x)) in line.points.iter().enumerate() {
            let letter = if place == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{:.1} {:.1}", across(*n), up(*x));
        }
        let width = if line.ours { 4.0 } else { 1.8 };
        let _ = writeln!(
            svg,
            "<path d=\"{path}\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"/>"
        );
        for (n, x) in &line.points {
            let radius = if line.ours { 4.5 } else { 2.5 };
            let _ = write!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\" fill=\"{colour}\"/>",
                across(*n),
                up(*x)
            );
        }
    }
    drawn.sort_by(|one, two| one.3.total_cmp(&two.3));
    let mut free = TOP;
    // (From the bottom up where they would not fit.)
    let last = drawn.len() as f64;
    for (place, (line, colour, x, y)) in drawn.iter().enumerate() {
        let at = y.max(free).min(BOTTOM - (last - 1.0 - place as f64) * 18.0);
        free = at + 18.0;
        let class = if line.ours { "b" } else { "" };
        let _ = writeln!(
            svg,
            "<path d=\"M{:.1} {y:.1}L{:.1} {at:.1}\" stroke=\"{colour}\"/>\
             <text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x + 6.0,
            RIGHT + 26.0,
            RIGHT + 32.0,
            at + 4.5,
            escaped(line.name),
        );
    }
}

fn thousands(n: f64) -> String {
    let digits = format!("{n:.0}");
    if digits.len() > 3 {
        let (front, back) = digits.split_at(digits.len() - 3);
        format!("{front},{back}")
    } else {
        digits
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
