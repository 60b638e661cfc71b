//! The picture of an act: its panels, one for each run, all of an act on one time axis; a panel may show a stretch of
//! another close up. Plain SVG without scripts, for light and dark pages.
//!
//! | file | holds |
//! |---|---|
//! | `panel` | one panel |
//! | `axis` | the time axis, and how wide a picture is |
//! | `palette` | colours and fonts |
//!
//! [`whole`] is an act as a file of its own, with title and legend; [`Plate`] is one panel, for a page that says the rest.

mod axis;
mod palette;
mod panel;

use std::{fmt::Write, time::Duration};

use maud::Render;

use self::{axis::Axis, panel::LANES};
pub(crate) use self::{axis::Layout, palette::style};
use crate::timeline::{Doing, Span};

/// What an act shows.
pub(crate) struct Part<'a> {
    pub(crate) title: &'static str,
    pub(crate) words: &'static Words,
    pub(crate) panels: Vec<&'a Panel>,
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
    /// What the bands below the strip mean, by class, from above.
    pub(crate) bands: &'static [(&'static str, &'static str)],
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
    /// What lay over the run, by the class that [`Words::bands`] explains: drawn below the strip.
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

impl Words {
    /// All colours but that of the marks, and what they mean.
    pub(crate) fn colours(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.legend.iter().chain(self.bands).copied()
    }
}

/// The height of an act's title and legend.
const TOP: f64 = 84.0;
/// That of a panel's title.
const TITLE: f64 = 30.0;
/// Between two panels.
const GAP: f64 = 18.0;
const STEP: f64 = TITLE + panel::HEIGHT + GAP;

/// The picture of an act, as a file of its own.
pub(crate) fn whole(part: &Part<'_>) -> String {
    let layout = Layout::WIDE;
    let height = TOP + STEP * part.panels.len() as f64;
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-labelledby=\"title\"><title id=\"title\">{}</title><style>{}</style>\
         <rect class=\"p\" width=\"100%\" height=\"100%\"/>",
        escape(part.title),
        style(""),
        width = layout.whole(),
    );
    legend(&mut svg, part, layout);
    let axis = Axis::of(&part.panels, layout);
    let mut top = TOP;
    for panel in &part.panels {
        let _ = writeln!(
            svg,
            "<text class=\"b\" x=\"{}\" y=\"{y}\">{}</text><text x=\"{}\" y=\"{y}\">{}</text>",
            layout.left,
            escape(&panel.name),
            layout.left + 226.0,
            escape(&panel.summary),
            y = top + 16.0,
        );
        panel::draw(&mut svg, part.words, panel, axis, top + TITLE);
        top += STEP;
    }
    svg.push_str("</svg>\n");
    svg
}

/// The title, and what the colours mean: as many rows as it takes.
fn legend(svg: &mut String, part: &Part<'_>, layout: Layout) {
    const ROW: f64 = 22.0;
    let (mut x, mut y) = (layout.left, 42.0);
    let _ = writeln!(
        svg,
        "<text class=\"b\" x=\"{x}\" y=\"28\">{}</text>",
        escape(part.title)
    );
    let marks = std::iter::once(("c", part.words.cut_off));
    for (class, text) in part.words.colours().chain(marks) {
        let wide = 42.0 + 7.7 * text.chars().count() as f64;
        if x + wide > layout.whole() {
            (x, y) = (layout.left, y + ROW);
        }
        let _ = match class {
            "c" => write!(
                svg,
                "<path class=\"c\" d=\"M{:.1} {}v16\"/>",
                x + 9.0,
                y - 2.0
            ),
            _ => write!(
                svg,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y}\" width=\"18\" height=\"12\"/>"
            ),
        };
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\">{}</text>",
            x + 24.0,
            y + 11.0,
            escape(text)
        );
        x += wide;
    }
}

/// One panel, as an element of a page which has [`style`] for `.timeline`.
pub(crate) struct Plate<'a> {
    /// No other element of the page is called like that.
    pub(crate) id: String,
    pub(crate) part: &'a Part<'a>,
    pub(crate) panel: &'a Panel,
    pub(crate) layout: Layout,
    /// The class by which the page tells one layout from the other.
    pub(crate) class: &'static str,
}

impl Plate<'_> {
    /// What it looks like, for who does not see it.
    fn description(&self) -> String {
        let Words { strip, crowd, .. } = self.part.words;
        let crowd: Vec<_> = crowd.iter().map(|crowd| crowd.name).collect();
        let Panel {
            summary,
            clients,
            hung,
            ..
        } = self.panel;
        let end = match hung {
            Some(from) => format!(" From {:.1} s on nothing moves.", from.as_secs_f64()),
            None => String::new(),
        };
        format!(
            "A timeline. Above: the {strip}; how many clients were {}. Below: what {} of {clients} clients did when.{end} {summary}.",
            crowd.join(", how many were "),
            LANES.min(*clients as usize),
        )
    }
}

impl Render for Plate<'_> {
    fn render_to(&self, page: &mut String) {
        let Self {
            id, layout, class, ..
        } = self;
        let height = panel::HEIGHT;
        let _ = writeln!(
            page,
            "<svg class=\"timeline {class}\" viewBox=\"0 0 {} {height}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-desc\"><title id=\"{id}-title\">{}</title><desc id=\"{id}-desc\">{}</desc>",
            layout.whole(),
            escape(&self.panel.name),
            escape(&self.description()),
        );
        let axis = Axis::of(&self.part.panels, *layout);
        panel::draw(page, self.part.words, self.panel, axis, 0.0);
        page.push_str("</svg>");
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
