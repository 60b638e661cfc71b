//! The report as a page: one HTML file that needs nothing else, neither a network nor a script; for light and dark, for
//! a desk and a telephone, for eyes and for a screen reader.
//!
//! Invariants:
//! - Figures and verdicts are those of the terminal: the same [`Table`](super::table::Table) and
//!   [`Verdict`], shown in another way.
//! - Nothing is loaded: no address is named but places in the page itself.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    picture::{self, Layout, Panel, Part, Plate, Words},
    scene::{Played, Shown},
    setting::Setting,
    verdict::Verdict,
};

const STYLE: &str = include_str!("page.css");

/// The page of these acts.
pub(crate) fn page(setting: &Setting, acts: &[Played]) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "ecluse: by hand, and with ecluse" }
                style { (PreEscaped(STYLE)) (PreEscaped(picture::style(".timeline "))) }
            }
            body {
                header {
                    h1 { "By hand, and with ecluse" }
                    p {
                        "Only one task should do a piece of work while the others wait. Each act does that in several ways, \
                         under the same load, on real sockets. Nothing is staged: all clients are alike, and what is cut off \
                         is drawn by lot."
                    }
                    (overview(acts))
                    (settings(setting))
                }
                main { @for act in acts { (section(act)) } }
                footer {
                    p {
                        "Busy or waiting tasks, and what they waited for, were recorded while the acts were run; all pictures \
                         and tables are of the same run."
                    }
                }
            }
        }
    };
    markup.into_string()
}

/// How the verdict is called in a word.
const fn word(verdict: bool) -> (&'static str, &'static str) {
    if verdict {
        ("kept", "✓ kept")
    } else {
        ("broken", "✗ broken")
    }
}

fn overview(acts: &[Played]) -> Markup {
    html! {
        nav aria-label="The acts" {
            ol.acts {
                @for act in acts {
                    @let (class, word) = word(act.scene.verdict.kept());
                    li class=(class) {
                        a href={ "#" (act.name) } { "Act " (act.number) ": " (act.title) }
                        br;
                        (word) ": " (act.scene.verdict.count())
                    }
                }
            }
        }
    }
}

fn settings(setting: &Setting) -> Markup {
    html! {
        table.setting {
            caption { "How it was run" }
            tbody {
                @for (name, value) in setting.rows() {
                    tr {
                        th scope="row" { (name) }
                        td { @if name == "command" { code { (value) } } @else { (value) } }
                    }
                }
            }
        }
    }
}

fn section(act: &Played) -> Markup {
    let id = act.name;
    let scene = &act.scene;
    let part = act.part();
    html! {
        section id=(id) aria-labelledby={ (id) "-title" } {
            h2 id={ (id) "-title" } { "Act " (act.number) ": " (act.title) }
            p { (act.about) }
            (verdict(&scene.verdict))
            h3 { "The promises" }
            (scene.verdict.table())
            h3 { "The figures" }
            (scene.table)
            @if !scene.notes.is_empty() {
                ul.notes { @for note in &scene.notes { li { (note) } } }
            }
            h3 { "The runs" }
            (legend(scene.words))
            @for (number, shown) in scene.runs.iter().enumerate() {
                (run(&part, shown, &format!("{id}-{number}")))
            }
        }
    }
}

fn verdict(verdict: &Verdict) -> Markup {
    let (class, word) = word(verdict.kept());
    html! {
        p class={ "verdict " (class) } {
            strong { (word) ": " (verdict.count()) } " " (verdict.summary())
            @for (what, how) in verdict.broken() {
                br;
                (what) ": " strong { (how) }
            }
        }
    }
}

fn legend(words: &Words) -> Markup {
    html! {
        ul.legend aria-label="What the colours mean" {
            @for (class, text) in words.colours() {
                li {
                    svg.timeline viewBox="0 0 18 12" aria-hidden="true" {
                        rect class=(class) width="18" height="12" {}
                    }
                    (text)
                }
            }
            li {
                svg.timeline viewBox="0 0 18 12" aria-hidden="true" {
                    path.c d="M9 -2v16" {}
                }
                (words.cut_off)
            }
        }
    }
}

/// What a run is, and what it looked like.
fn run(part: &Part<'_>, shown: &Shown, id: &str) -> Markup {
    let way = shown.way;
    html! {
        article.run aria-labelledby={ (id) "-name" } {
            h4 id={ (id) "-name" } { (way.name) }
            dl {
                dt { "where one meets it" }
                dd { (way.met) }
                dt { "what it does not survive" }
                dd { (way.fails) }
            }
            @for (number, panel) in shown.panels.iter().enumerate() {
                (figure(part, panel, &format!("{id}-{number}")))
            }
        }
    }
}

fn figure(part: &Part<'_>, panel: &Panel, id: &str) -> Markup {
    let plate = |class, layout| Plate {
        id: format!("{id}-{class}"),
        part,
        panel,
        layout,
        class,
    };
    html! {
        figure {
            figcaption { b { (panel.name) } " · " (panel.summary) }
            (plate("wide", Layout::WIDE))
            (plate("narrow", Layout::NARROW))
        }
    }
}

#[cfg(test)]
mod tests;
