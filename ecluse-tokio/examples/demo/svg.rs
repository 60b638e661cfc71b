//! The picture: for each run a panel, in it a lane for some of the clients. Plain SVG, no script.

use std::{collections::BTreeSet, fmt::Write, time::Duration};

use crate::{
    load::Run,
    timeline::{Doing, Span},
};

const WIDTH: f64 = 1400.0;
const LEFT: f64 = 60.0;
const LANE: f64 = 9.0;
const LANES: usize = 28;
const HEAD: f64 = 46.0;
const GAP: f64 = 26.0;

const STYLE: &str = "text{font:12px sans-serif;fill:#333}.t{font-weight:bold;font-size:14px}\
.r{fill:#cfd8dc}.w{fill:#ffe082}.m{fill:#1e88e5}.o{fill:#43a047}.h{fill:#ffcdd2}.c{stroke:#d32f2f;stroke-width:1.6}";

/// What the colours mean.
const LEGEND: [(&str, &str); 5] = [
    ("r", "request"),
    ("w", "waits for a renewal"),
    ("m", "renews"),
    ("o", "renews in place of one that was cut off"),
    ("h", "hung"),
];

pub(crate) fn draw(runs: &[Run]) -> String {
    let panel = HEAD + LANE * LANES as f64 + GAP;
    let height = 40.0 + panel * runs.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\"><style>{STYLE}</style>\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        LEFT + WIDTH + 20.0
    );
    let mut x = LEFT;
    for (class, text) in LEGEND {
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{x}\" y=\"12\" width=\"14\" height=\"10\"/><text x=\"{}\" y=\"21\">{text}</text>",
            x + 19.0
        );
        x += 44.0 + 6.6 * text.len() as f64;
    }
    let _ = writeln!(
        svg,
        "<path class=\"c\" d=\"M{x} 11v12\"/><text x=\"{}\" y=\"21\">cut off</text>",
        x + 7.0
    );
    for (number, run) in runs.iter().enumerate() {
        draw_run(&mut svg, run, 40.0 + panel * number as f64);
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw_run(svg: &mut String, run: &Run, top: f64) {
    let whole = run.took.max(Duration::from_millis(1)).as_secs_f64();
    let x = |at: Duration| LEFT + WIDTH * at.as_secs_f64() / whole;
    let _ = writeln!(
        svg,
        "<text class=\"t\" x=\"{LEFT}\" y=\"{}\">{}</text><text x=\"{}\" y=\"{}\">{} mints, {} wasted, {} of {} tasks hung</text>",
        top + 16.0,
        run.name,
        LEFT + 170.0,
        top + 16.0,
        run.mints.begun,
        run.mints.wasted,
        run.hung,
        run.clients,
    );
    for second in 0..=run.took.as_secs() {
        let at = x(Duration::from_secs(second));
        let _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{}\">{second} s</text><path stroke=\"#bbb\" d=\"M{at:.1} {}v{}\"/>",
            top + 34.0,
            top + 38.0,
            LANE * LANES as f64 + 8.0,
        );
    }
    for (lane, client) in sample(run).into_iter().enumerate() {
        let y = top + HEAD + LANE * lane as f64;
        let _ = writeln!(
            svg,
            "<text x=\"4\" y=\"{}\" font-size=\"9\">#{client}</text>",
            y + 8.0
        );
        for span in run.spans.iter().filter(|span| span.client == client) {
            draw_span(svg, span, whole, x(span.from), x(span.to), y);
        }
    }
}

fn draw_span(svg: &mut String, span: &Span, whole: f64, from: f64, to: f64, y: f64) {
    // What the end of the run found still waiting did not end by being cut off.
    let hung = span.cut_off && span.to.as_secs_f64() > whole;
    let class = match span.doing {
        _ if hung => "h",
        Doing::Requesting => "r",
        Doing::Waiting => "w",
        Doing::Minting => "m",
        Doing::TakingOver => "o",
    };
    let _ = write!(
        svg,
        "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"{}\"/>",
        (to.min(LEFT + WIDTH) - from).max(0.4),
        LANE - 2.0,
    );
    if span.cut_off && !hung {
        let _ = write!(
            svg,
            "<path class=\"c\" d=\"M{to:.1} {}v{}\"/>",
            y - 1.0,
            LANE
        );
    }
    svg.push('\n');
}

/// The clients to show: first those that renewed in place of others or were cut off while they
/// renewed, then those that renewed, then whoever comes.
fn sample(run: &Run) -> BTreeSet<u32> {
    let renews = |span: &&Span| matches!(span.doing, Doing::Minting | Doing::TakingOver);
    let telling = run
        .spans
        .iter()
        .filter(renews)
        .filter(|span| span.cut_off || span.doing == Doing::TakingOver);
    let clients = telling
        .chain(run.spans.iter().filter(renews))
        .map(|span| span.client)
        .chain(0..run.clients);
    let mut shown = BTreeSet::new();
    for client in clients {
        if shown.len() == LANES {
            break;
        }
        shown.insert(client);
    }
    shown
}
