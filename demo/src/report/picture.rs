//! The picture: for each act its panels, one for each run, all of an act on one time axis. In a panel:
//! when there was what the clients need, how many waited and how many got it for all, and a lane for
//! some of the clients. A panel may show a stretch of another close up. Plain SVG without scripts, for
//! light and dark pages.
//!
//! Invariant: what is drawn of a client is what its spans say; spans are merged only where the gap is
//! less than can be seen.

use std::{collections::BTreeSet, fmt::Write, time::Duration};

use super::axis::Axis;
use crate::timeline::{Doing, Span};

/// What an act shows.
pub(crate) struct Part {
    pub(crate) title: &'static str,
    pub(crate) words: &'static Words,
    pub(crate) panels: Vec<Panel>,
}

/// How an act calls what is drawn.
pub(crate) struct Words {
    /// What the clients need.
    pub(crate) strip: &'static str,
    /// Whose number is drawn over the time.
    pub(crate) crowd: &'static [Crowd],
    /// What the colours mean.
    pub(crate) legend: &'static [(&'static str, &'static str)],
    /// What the red marks mean.
    pub(crate) cut_off: &'static str,
    /// What the bands below the strip mean.
    pub(crate) bands: &'static str,
    /// The clients are of several sorts, all of which are among the first: these are shown.
    pub(crate) sorted: bool,
    /// What is said where a panel ends with somebody hanging.
    pub(crate) hung: &'static str,
}

/// Some of the clients: those who do a certain thing.
pub(crate) struct Crowd {
    pub(crate) class: &'static str,
    pub(crate) name: &'static str,
    pub(crate) has: fn(Doing) -> bool,
}

/// What is to be drawn of a run.
pub(crate) struct Panel {
    pub(crate) name: String,
    pub(crate) summary: String,
    pub(crate) clients: u32,
    pub(crate) spans: Vec<Span>,
    /// From when to when there was what the clients need.
    pub(crate) good: Vec<(Duration, Duration)>,
    /// What lay over the run, by class: drawn below the strip, in this order.
    pub(crate) bands: Vec<(&'static str, Duration, Duration)>,
    /// From here on nothing moved.
    pub(crate) hung: Option<Duration>,
    /// When the last thing happened.
    pub(crate) end: Duration,
    /// What ended after this was ended by force.
    pub(crate) open: Duration,
    /// Only this stretch, on an axis of its own.
    pub(crate) close_up: Option<(Duration, Duration)>,
}

pub(super) const LEFT: f64 = 130.0;
pub(super) const WIDTH: f64 = 1050.0;
const RIGHT: f64 = 24.0;
/// The height of an act's title and legend.
const TOP: f64 = 84.0;
/// Heights within a panel.
const HEAD: f64 = 48.0;
const STRIP: f64 = 12.0;
const AREA: f64 = 46.0;
const LANE: f64 = 11.0;
const LANES: usize = 12;
const GAP: f64 = 36.0;
const PANEL: f64 = HEAD + STRIP + 6.0 + AREA + 8.0 + LANE * LANES as f64 + GAP;
/// Less than this cannot be seen.
const PIXEL: f64 = 0.7;

const STYLE: &str = "text{font:15px 'DejaVu Sans',Verdana,sans-serif;fill:#24292f}\
.s{font-size:13px;fill:#57606a}.b{font-weight:bold;font-size:17px}.p{fill:#fff}.g{stroke:#d0d7de}\
.r{fill:#c4ccd4}.w{fill:#f2c14e}.m{fill:#1f6feb}.o{fill:#1a9e4b}.h{fill:#f8d0d0}.d{fill:#d1242f}.v{fill:#8fbf9f}\
.l{font-size:11px;fill:#57606a}.t{fill:#8250df}.x{fill:#bc4c00}\
.c{stroke:#d1242f;stroke-width:2}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9aa4af}.p{fill:#0d1117}.g{stroke:#30363d}\
.r{fill:#57616b}.w{fill:#d9a520}.m{fill:#4f94ff}.o{fill:#3fb968}.h{fill:#5c2b2e}.d{fill:#f85149}.v{fill:#3d6b4b}.l{fill:#9aa4af}.t{fill:#a475f9}.x{fill:#f0883e}\
.c{stroke:#ff6a62}}";

pub(crate) fn draw(parts: &[Part]) -> String {
    let high = |part: &Part| TOP + PANEL * part.panels.len() as f64;
    let (width, height) = (LEFT + WIDTH + RIGHT, parts.iter().map(high).sum::<f64>());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\
         <style>{STYLE}</style><rect class=\"p\" width=\"100%\" height=\"100%\"/>\n"
    );
    let mut top = 0.0;
    for part in parts {
        let axis = Axis::of(&part.panels);
        legend(&mut svg, part, top);
        for (number, panel) in part.panels.iter().enumerate() {
            Drawing {
                svg: &mut svg,
                words: part.words,
                panel,
                axis: panel.close_up.map_or(axis, Axis::close_up),
                top: top + TOP + PANEL * number as f64,
            }
            .draw();
        }
        top += high(part);
    }
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String, part: &Part, top: f64) {
    let _ = writeln!(
        svg,
        "<text class=\"b\" x=\"{LEFT}\" y=\"{}\">{}</text>",
        top + 28.0,
        escape(part.title)
    );
    let (mut x, y) = (LEFT, top + 42.0);
    for &(class, text) in part.words.legend {
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"18\" height=\"12\"/><text x=\"{}\" y=\"{}\">{text}</text>",
            x + 24.0,
            y + 11.0
        );
        x += 42.0 + 7.7 * text.chars().count() as f64;
    }
    let _ = writeln!(
        svg,
        "<path class=\"c\" d=\"M{x} {}v16\"/><text x=\"{}\" y=\"{}\">{}</text>",
        y - 2.0,
        x + 8.0,
        y + 11.0,
        part.words.cut_off
    );
}

struct Drawing<'a> {
    svg: &'a mut String,
    words: &'static Words,
    panel: &'a Panel,
    axis: Axis,
    top: f64,
}

impl Drawing<'_> {
    fn draw(mut self) {
        let (panel, axis) = (self.panel, self.axis);
        let top = self.top;
        self.put(format_args!(
            "<text class=\"b\" x=\"{LEFT}\" y=\"{}\">{}</text><text x=\"{}\" y=\"{}\">{}</text>\n",
            top + 16.0,
            escape(&panel.name),
            LEFT + 226.0,
            top + 16.0,
            escape(&panel.summary),
        ));
        self.seconds();
        let end = LEFT + WIDTH;
        if let Some(from) = panel.hung {
            let (from, y) = (axis.x(from), top + HEAD);
            self.rect("h", from, y, end - from, PANEL - HEAD - GAP);
        }
        let mut y = top + HEAD;
        self.strip(y);
        self.bands(y + STRIP + 1.0);
        y += STRIP + 6.0;
        self.crowd(y);
        y += AREA + 8.0;
        for client in self.sample() {
            self.lane(client, y);
            y += LANE;
        }
        if panel.hung.is_some() {
            self.put(format_args!(
                "<text class=\"s\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n",
                end - 4.0,
                y + 14.0,
                self.words.hung
            ));
        } else if panel.close_up.is_none() && !axis.ends(panel.end) {
            self.put(format_args!(
                "<text class=\"s\" x=\"{}\" y=\"{}\" text-anchor=\"end\">… goes on until {:.1} s</text>\n",
                end - 4.0,
                y + 14.0,
                panel.end.as_secs_f64()
            ));
        }
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.svg.write_fmt(text);
    }

    fn rect(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) {
        self.put(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\"/>\n"
        ));
    }

    fn seconds(&mut self) {
        let seconds = self.axis.seconds;
        let step = [
            0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0,
        ]
        .into_iter()
        .find(|step| seconds / step <= 12.0)
        .unwrap_or(120.0);
        let mut number = (self.axis.from / step).ceil();
        while number * step <= self.axis.from + seconds {
            let at = number * step;
            let (x, y) = (
                LEFT + WIDTH * (at - self.axis.from) / seconds,
                self.top + HEAD,
            );
            self.put(format_args!(
                "<path class=\"g\" d=\"M{x:.1} {}v{}\"/>\n",
                y - 14.0,
                PANEL - HEAD - GAP + 14.0,
            ));
            // The last one may have no room for its number.
            if x < LEFT + WIDTH - 36.0 {
                let (x, at) = (x + 4.0, (at * 100.0).round() / 100.0);
                let y = y - 4.0;
                self.put(format_args!(
                    "<text class=\"s\" x=\"{x:.1}\" y=\"{y}\">{at} s</text>\n"
                ));
            }
            number += 1.0;
        }
    }

    fn label(&mut self, y: f64, text: &str) {
        self.put(format_args!(
            "<text class=\"s\" x=\"{}\" y=\"{y}\" text-anchor=\"end\">{text}</text>\n",
            LEFT - 8.0
        ));
    }

    /// When there was what the clients need.
    fn strip(&mut self, y: f64) {
        self.label(y + 11.0, self.words.strip);
        let end = self
            .axis
            .x(self.panel.end.max(self.panel.open.min(self.panel.end)));
        let end = if self.panel.hung.is_some() {
            LEFT + WIDTH
        } else {
            end
        };
        self.rect("d", LEFT, y, end - LEFT, STRIP);
        let mut good: Vec<(f64, f64)> = Vec::new();
        let mut stretches = self.panel.good.clone();
        stretches.sort_unstable();
        for (from, to) in stretches {
            let (from, to) = (self.axis.x(from), self.axis.x(to).min(end));
            match good.last_mut() {
                Some(last) if from < last.1 + PIXEL => last.1 = last.1.max(to),
                _ => good.push((from, to)),
            }
        }
        for (from, to) in good {
            if to > from {
                self.rect("v", from, y, to - from, STRIP);
            }
        }
    }

    /// What lay over the run; the words stand behind the last.
    fn bands(&mut self, y: f64) {
        let mut end = None;
        for (class, from, to) in self.panel.bands.clone() {
            let (from, to) = (self.axis.x(from), self.axis.x(to));
            if to > from {
                let (y, height) = if class == "t" {
                    (y, 4.0)
                } else {
                    (y + 4.0, 4.0)
                };
                self.rect(class, from, y, (to - from).max(PIXEL), height);
                end = Some(end.unwrap_or(to).max(to));
            }
        }
        if let Some(x) = end.filter(|x| *x < LEFT + WIDTH - 330.0) {
            let words = self.words.bands;
            self.put(format_args!(
                "<text class=\"l\" x=\"{:.1}\" y=\"{}\">{words}</text>\n",
                x + 6.0,
                y + 9.0
            ));
        }
    }

    /// How many did what, over the time: one before the other.
    fn crowd(&mut self, y: f64) {
        for (number, crowd) in self.words.crowd.iter().enumerate() {
            let most = self.area(crowd.class, y, crowd.has);
            self.label(
                y + 11.0 + 17.0 * number as f64,
                &format!("{} ≤ {most}", crowd.name),
            );
        }
        self.put(format_args!(
            "<path class=\"g\" d=\"M{LEFT} {:.1}h{WIDTH}\"/>\n",
            y + AREA
        ));
    }

    /// The number of clients that do that, over the time: how many at once, at most.
    fn area(&mut self, class: &str, y: f64, kind: fn(Doing) -> bool) -> i64 {
        const STEP: f64 = 2.0;
        let mut counts = vec![0_u32; (WIDTH / STEP) as usize + 1];
        let panel = self.panel;
        let mut changes = Vec::new();
        for span in &panel.spans {
            if !kind(span.doing) || !self.axis.shows(span) {
                continue;
            }
            let bucket = |at| ((self.axis.x(at) - LEFT) / STEP) as usize;
            let to = if span.to() > panel.open {
                counts.len() - 1
            } else {
                bucket(span.to())
            };
            for count in &mut counts[bucket(span.from())..=to] {
                *count += 1;
            }
            changes.extend([(span.from(), 1), (span.to(), -1)]);
        }
        let all = f64::from(panel.clients);
        let mut path = format!("M{LEFT} {:.1}", y + AREA);
        let mut last = 0;
        for (bucket, count) in counts.iter().enumerate() {
            if last != *count {
                // The root: dozens can be seen beside thousands.
                let height = AREA * (f64::from(*count) / all).min(1.0).sqrt();
                let x = LEFT + STEP * bucket as f64;
                let _ = write!(path, "H{x:.0}V{:.1}", y + AREA - height);
            }
            last = *count;
        }
        self.put(format_args!(
            "<path class=\"{class}\" d=\"{path}H{:.0}V{:.1}Z\"/>\n",
            LEFT + WIDTH,
            y + AREA
        ));
        // Of two at the same moment, ends come first.
        changes.sort_unstable();
        let sums = changes.iter().scan(0_i64, |sum, (_, change)| {
            *sum += change;
            Some(*sum)
        });
        sums.max().unwrap_or(0)
    }

    fn lane(&mut self, client: u32, y: f64) {
        self.put(format_args!(
            "<text class=\"l\" x=\"{}\" y=\"{}\" text-anchor=\"end\">#{client}</text>\n",
            LEFT - 8.0,
            y + 9.0
        ));
        let mut spans: Vec<&Span> = self.panel.spans.iter().collect();
        spans.retain(|span| span.client == client && self.axis.shows(span));
        spans.sort_unstable_by_key(|span| span.from());
        let mut open: Option<(&str, f64, f64)> = None;
        for span in spans {
            // What the end of the run found still waiting did not end by being cut off.
            let forced = span.to() > self.panel.open;
            let (from, to) = (self.axis.x(span.from()), self.axis.x(span.to()));
            let to = if forced { LEFT + WIDTH } else { to };
            let class = match span.doing {
                Doing::Requesting => "r",
                Doing::Waiting => "w",
                Doing::Holding => "m",
                Doing::TakingOver => "o",
            };
            match &mut open {
                Some((before, _, end)) if *before == class && from < *end + PIXEL => *end = to,
                _ => self.bar(open.replace((class, from, to)), y),
            }
            if span.cut_off && !forced && self.axis.ends(span.to()) {
                self.bar(open.take(), y);
                self.put(format_args!(
                    "<path class=\"c\" d=\"M{to:.1} {}v{LANE}\"/>\n",
                    y - 0.5
                ));
            }
        }
        self.bar(open, y);
    }

    fn bar(&mut self, bar: Option<(&str, f64, f64)>, y: f64) {
        let within = |(_, from, _): &(&str, f64, f64)| *from < LEFT + WIDTH;
        if let Some((class, from, to)) = bar.filter(within) {
            self.rect(class, from, y, (to - from).max(PIXEL), LANE - 2.0);
        }
    }

    /// The clients to show: first those that took over or were cut off while they held, then those that
    /// held, then those that waited, then whoever comes.
    fn sample(&self) -> BTreeSet<u32> {
        if self.words.sorted {
            return (0..self.panel.clients).take(LANES).collect();
        }
        let seen = || self.panel.spans.iter().filter(|span| self.axis.shows(span));
        let holders = || seen().filter(|span| span.doing.holds());
        let telling = holders().filter(|span| span.cut_off || span.doing == Doing::TakingOver);
        let waiters = || seen().filter(|span| span.doing == Doing::Waiting);
        // Some of each, so that no kind fills the panel.
        let clients = telling
            .take(LANES * 2 / 3)
            .chain(holders().take(LANES / 4))
            .chain(waiters().filter(|span| span.cut_off).take(LANES / 4))
            .chain(waiters().filter(|span| !span.cut_off))
            .map(|span| span.client)
            .chain(0..self.panel.clients);
        let mut shown = BTreeSet::new();
        for client in clients {
            if shown.len() == LANES {
                break;
            }
            shown.insert(client);
        }
        shown
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
