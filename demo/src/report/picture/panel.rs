//! One panel: a strip of when there was what the clients need, areas of how many did what, and a lane for some of the
//! clients.
//!
//! Invariant: what is drawn of a client is what its spans say; spans are merged only where the gap is less than can be
//! seen.

use std::{collections::BTreeSet, fmt::Write};

use super::{
    Panel, Words,
    axis::{Axis, Layout},
};
use crate::timeline::{Doing, Span};

const STRIP: f64 = 12.0;
const AREA: f64 = 46.0;
const LANE: f64 = 11.0;
pub(super) const LANES: usize = 12;
/// For the numbers of the axis.
const NUMBERS: f64 = 18.0;
/// All that lies under them.
const FIELD: f64 = STRIP + 6.0 + AREA + 8.0 + LANE * LANES as f64;
/// For the words below.
const WORDS: f64 = 18.0;
/// The whole.
pub(super) const HEIGHT: f64 = NUMBERS + FIELD + WORDS;
/// Less than this cannot be seen.
const PIXEL: f64 = 0.7;

/// Draws it with its upper edge at `top`.
pub(super) fn draw(svg: &mut String, words: &'static Words, panel: &Panel, axis: Axis, top: f64) {
    Drawing {
        svg,
        words,
        panel,
        axis: axis.for_panel(panel),
        top: top + NUMBERS,
    }
    .draw();
}

struct Drawing<'a> {
    svg: &'a mut String,
    words: &'static Words,
    panel: &'a Panel,
    axis: Axis,
    /// The upper edge of the field.
    top: f64,
}

impl Drawing<'_> {
    fn draw(mut self) {
        let (panel, axis) = (self.panel, self.axis);
        let Layout { left, .. } = axis.layout;
        let end = axis.layout.end();
        self.seconds();
        if let Some(from) = panel.hung {
            let from = axis.x(from);
            self.rect("h", from, self.top, end - from, FIELD);
        }
        let mut y = self.top;
        self.strip(y);
        self.bands(y + STRIP + 1.0);
        y += STRIP + 6.0;
        self.crowd(y);
        y += AREA + 8.0;
        for client in self.sample() {
            self.text("l", left - 8.0, y + 9.0, format_args!("#{client}"));
            self.lane(client, y);
            y += LANE;
        }
        if panel.hung.is_some() {
            let words = self.words.hung;
            self.text("s", end - 4.0, y + 14.0, format_args!("{words}"));
        } else if panel.close_up.is_none() && !axis.ends(panel.end) {
            let until = panel.end.as_secs_f64();
            let words = format_args!("… goes on until {until:.1} s");
            self.text("s", end - 4.0, y + 14.0, words);
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

    /// A text that ends at `x`.
    fn text(&mut self, class: &str, x: f64, y: f64, text: std::fmt::Arguments<'_>) {
        self.put(format_args!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{text}</text>\n"
        ));
    }

    fn seconds(&mut self) {
        let (axis, y) = (self.axis, self.top);
        let Layout { left, width, .. } = axis.layout;
        for at in axis.numbers() {
            let x = left + width * (at - axis.from) / axis.seconds;
            self.put(format_args!(
                "<path class=\"g\" d=\"M{x:.1} {}v{}\"/>\n",
                y - 14.0,
                FIELD + 14.0,
            ));
            // The last one may have no room for its number.
            if x < left + width - 36.0 {
                let (x, at) = (x + 4.0, (at * 100.0).round() / 100.0);
                let y = y - 4.0;
                self.put(format_args!(
                    "<text class=\"s\" x=\"{x:.1}\" y=\"{y}\">{at} s</text>\n"
                ));
            }
        }
    }

    fn label(&mut self, y: f64, text: &str) {
        let x = self.axis.layout.left - 8.0;
        self.text("s", x, y, format_args!("{text}"));
    }

    /// When there was what the clients need.
    fn strip(&mut self, y: f64) {
        self.label(y + 11.0, self.words.strip);
        let end = self
            .axis
            .x(self.panel.end.max(self.panel.open.min(self.panel.end)));
        let end = if self.panel.hung.is_some() {
            self.axis.layout.end()
        } else {
            end
        };
        let left = self.axis.layout.left;
        self.rect("d", left, y, end - left, STRIP);
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

    /// What lay over the run: each kind in its row.
    fn bands(&mut self, y: f64) {
        const HIGH: f64 = 4.0;
        for (row, (class, _)) in self.words.bands.iter().enumerate() {
            let y = y + HIGH * row as f64;
            for (_, from, to) in self.panel.bands.iter().filter(|band| band.0 == *class) {
                let (from, to) = (self.axis.x(*from), self.axis.x(*to));
                if to > from {
                    self.rect(class, from, y, (to - from).max(PIXEL), HIGH);
                }
            }
        }
    }

    /// How many did what, over the time: one before the other.
    fn crowd(&mut self, y: f64) {
        let Layout { left, width, .. } = self.axis.layout;
        for (number, crowd) in self.words.crowd.iter().enumerate() {
            let most = self.area(crowd.class, y, crowd.has);
            self.label(
                y + 11.0 + 17.0 * number as f64,
                &format!("{} ≤ {most}", crowd.name),
            );
        }
        self.put(format_args!(
            "<path class=\"g\" d=\"M{left} {:.1}h{width}\"/>\n",
            y + AREA
        ));
    }

    /// The number of clients that do that, over the time: how many at once, at most.
    fn area(&mut self, class: &str, y: f64, kind: fn(Doing) -> bool) -> i64 {
        const STEP: f64 = 2.0;
        let Layout { left, width, .. } = self.axis.layout;
        let mut counts = vec![0_u32; (width / STEP) as usize + 1];
        let panel = self.panel;
        let mut changes = Vec::new();
        for span in &panel.spans {
            if !kind(span.doing) || !self.axis.shows(span) {
                continue;
            }
            let bucket = |at| ((self.axis.x(at) - left) / STEP) as usize;
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
        let mut path = format!("M{left} {:.1}", y + AREA);
        let mut last = 0;
        for (bucket, count) in counts.iter().enumerate() {
            if last != *count {
                // The root: dozens can be seen beside thousands.
                let height = AREA * (f64::from(*count) / all).min(1.0).sqrt();
                let x = left + STEP * bucket as f64;
                let _ = write!(path, "H{x:.0}V{:.1}", y + AREA - height);
            }
            last = *count;
        }
        self.put(format_args!(
            "<path class=\"{class}\" d=\"{path}H{:.0}V{:.1}Z\"/>\n",
            self.axis.layout.end(),
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
        let mut spans: Vec<&Span> = self.panel.spans.iter().collect();
        spans.retain(|span| span.client == client && self.axis.shows(span));
        spans.sort_unstable_by_key(|span| span.from());
        let mut open: Option<(&str, f64, f64)> = None;
        for span in spans {
            // What the end of the run found still waiting did not end by being cut off.
            let forced = span.to() > self.panel.open;
            let (from, to) = (self.axis.x(span.from()), self.axis.x(span.to()));
            let to = if forced { self.axis.layout.end() } else { to };
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
        let within = |(_, from, _): &(&str, f64, f64)| *from < self.axis.layout.end();
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
