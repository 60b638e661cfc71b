//! What can be seen of the page without a browser.

use html5gum::{StartTag, Token, Tokenizer};

use super::*;
use crate::acts;

/// Tags that stand alone.
const VOID: &[&str] = &["br", "meta"];

fn whole(acts: &[Played]) -> String {
    page(&Setting::sample(), acts)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn tags(page: &str) -> Vec<StartTag<()>> {
    let tag = |token: Result<_, _>| match token {
        Ok(Token::StartTag(tag)) => Some(tag),
        Ok(_) => None,
        Err(error) => match error {},
    };
    Tokenizer::new(page).filter_map(tag).collect()
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    tag.attributes.get(name.as_bytes()).map(|value| text(value))
}

#[test]
fn it_is_well_formed() {
    let page = whole(&acts::samples(1));
    let mut open: Vec<String> = Vec::new();
    for Ok(token) in Tokenizer::new(&page) {
        match token {
            Token::Error(error) => panic!("{error:?}"),
            Token::StartTag(tag) if !tag.self_closing && !VOID.contains(&&*text(&tag.name)) => {
                open.push(text(&tag.name));
            }
            Token::EndTag(tag) => assert_eq!(open.pop(), Some(text(&tag.name)), "within {open:?}"),
            _ => {}
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
}

#[test]
fn all_acts_are_there_with_their_tables_and_pictures() {
    let acts = acts::samples(0);
    let page = whole(&acts);
    let sections: Vec<_> = page.split("<section").skip(1).collect();
    assert_eq!((acts.len(), sections.len()), (3, 3));
    for (section, act) in sections.iter().zip(&acts) {
        let scene = &act.scene;
        assert!(section.starts_with(&format!(" id=\"{}\"", act.name)));
        for (table, rows) in [(&scene.table, 14), (&scene.verdict.table(), 4)] {
            let shown = html! { (table) }.into_string();
            assert!(section.contains(&shown), "{table}");
            assert!(shown.matches("scope=\"row\"").count() >= rows, "{shown}");
            assert_eq!(shown.matches("scope=\"col\"").count(), scene.runs.len());
        }
        for run in &scene.runs {
            for said in [run.way.name, run.way.met, run.way.fails] {
                assert!(section.contains(&html! { (said) }.into_string()), "{said}");
            }
        }
        let panels: usize = scene.runs.iter().map(|run| run.panels.len()).sum();
        assert!(panels >= scene.runs.len());
        for class in ["wide", "narrow"] {
            let class = format!("class=\"timeline {class}\"");
            assert_eq!(section.matches(&class).count(), panels);
        }
    }
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    let page = whole(&acts::samples(0));
    for tag in tags(&page) {
        let name = text(&tag.name);
        assert!(
            !["script", "link", "img", "iframe", "object"].contains(&&*name),
            "{name}"
        );
        for names in ["href", "src", "xlink:href", "srcset", "data"] {
            let outside = attribute(&tag, names).filter(|to| !to.starts_with('#'));
            assert_eq!(outside, None, "{name}");
        }
    }
    assert!(!page.contains("://") && !page.contains("@import") && !page.contains("url("));
}

#[test]
fn whatever_is_referred_to_is_there_once() {
    let page = whole(&acts::samples(0));
    let tags = tags(&page);
    let mut ids: Vec<_> = tags.iter().filter_map(|tag| attribute(tag, "id")).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id is there twice");
    let places = tags.iter().filter_map(|tag| attribute(tag, "href"));
    let places = places.map(|place| place.trim_start_matches('#').to_owned());
    let labels = tags
        .iter()
        .filter_map(|tag| attribute(tag, "aria-labelledby"));
    let labels = labels.flat_map(|all| all.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let mut referred = 0;
    for id in places.chain(labels) {
        assert!(ids.binary_search(&id).is_ok(), "nothing is called {id}");
        referred += 1;
    }
    assert!(referred > 3 * 4, "{referred}");
}

#[test]
fn every_picture_says_what_it_shows() {
    let page = whole(&acts::samples(0));
    let pictures: Vec<_> = page.split("<svg class=\"timeline ").skip(1).collect();
    assert!(!pictures.is_empty());
    for picture in pictures {
        assert!(picture.contains("<title id="), "{picture:.200}");
        assert!(picture.contains("<desc id="), "{picture:.200}");
    }
}

#[test]
fn a_broken_promise_is_seen() {
    let acts = acts::samples(7);
    assert!(acts.iter().all(|act| !act.scene.verdict.kept()));
    let page = whole(&acts);
    assert_eq!(page.matches("class=\"verdict broken\"").count(), 3);
    assert_eq!(page.matches("<li class=\"broken\">").count(), 3);
    assert!(page.contains("<td class=\"broken\">7 hung</td>"));
    let kept = whole(&acts::samples(0));
    assert_eq!(kept.matches("class=\"verdict kept\"").count(), 3);
    assert_eq!(kept.matches("<li class=\"broken\">").count(), 0);
    // The run by hand is judged, too.
    assert!(kept.contains("<td class=\"broken\">1 hung</td>"));
}
