//! The colours of the picture, light and dark, and its fonts: as a style sheet for a file of its own, or for a page
//! with other things in it.

use std::fmt::Write;

/// What is coloured: a selector and a property, light and dark.
const COLOURS: &[(&str, &str, &str, &str)] = &[
    ("text", "fill", "#24292f", "#e6edf3"),
    (".s", "fill", "#57606a", "#9aa4af"),
    (".l", "fill", "#57606a", "#9aa4af"),
    (".p", "fill", "#fff", "#0d1117"),
    (".g", "stroke", "#d0d7de", "#30363d"),
    (".r", "fill", "#c4ccd4", "#57616b"),
    (".w", "fill", "#f2c14e", "#d9a520"),
    (".m", "fill", "#1f6feb", "#4f94ff"),
    (".o", "fill", "#1a9e4b", "#3fb968"),
    (".h", "fill", "#f8d0d0", "#5c2b2e"),
    (".d", "fill", "#d1242f", "#f85149"),
    (".v", "fill", "#8fbf9f", "#3d6b4b"),
    (".t", "fill", "#8250df", "#a475f9"),
    (".x", "fill", "#bc4c00", "#f0883e"),
    (".c", "stroke", "#d1242f", "#ff6a62"),
];

/// What does not depend on the light.
const REST: &[(&str, &str)] = &[
    ("text", "font:15px 'DejaVu Sans',Verdana,sans-serif"),
    (".s", "font-size:13px"),
    (".l", "font-size:11px"),
    (".b", "font-weight:bold;font-size:17px"),
    (".c", "stroke-width:2"),
];

/// The style sheet; each selector with `scope` before it.
pub(crate) fn style(scope: &str) -> String {
    let mut sheet = String::new();
    for (selector, rest) in REST {
        let _ = write!(sheet, "{scope}{selector}{{{rest}}}");
    }
    for (selector, property, light, _) in COLOURS {
        let _ = write!(sheet, "{scope}{selector}{{{property}:{light}}}");
    }
    sheet.push_str("@media(prefers-color-scheme:dark){");
    for (selector, property, _, dark) in COLOURS {
        let _ = write!(sheet, "{scope}{selector}{{{property}:{dark}}}");
    }
    sheet.push('}');
    sheet
}
