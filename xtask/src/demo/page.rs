//! Looks at the demo's page in a browser: that it loads without an error and without a request, that all pictures are seen,
//! that nothing is wider than the screen, that every text stands out from what it is on. Leaves pictures of the page.

use super::browser::Browser;
use crate::{toolchain, workspace};
use anyhow::{Context, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// Programs that will do, the preferred first.
const BROWSERS: &[&str] = &[
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
];

/// The package of the first.
const PACKAGE: &str = "chromium-headless-shell";

/// What is looked at: a name for the picture, how wide the screen is, how bright the room.
const LOOKS: &[(&str, u32, &str)] = &[
    ("light", 1280, "light"),
    ("dark", 1280, "dark"),
    ("narrow", 390, "light"),
    ("narrow-dark", 390, "dark"),
];

/// Gives the faults of the page as it is shown, and what of it there is.
const SCRIPT: &str = include_str!("page.js");

/// Sees that there is a browser, installing one if we may.
pub(super) fn see_to_browser() -> Result<()> {
    if browser().is_none() {
        toolchain::tool(BROWSERS[0], PACKAGE)?;
    }
    Ok(())
}

fn browser() -> Option<&'static str> {
    let runs = |program: &&&str| {
        let mut command = Command::new(program);
        command.arg("--version").stdin(Stdio::null());
        command.output().is_ok_and(|output| output.status.success())
    };
    BROWSERS.iter().find(runs).copied()
}

/// Whether nothing is wrong with the page; what is, is printed.
pub(super) fn check(path: &Path) -> Result<bool> {
    let path = path
        .canonicalize()
        .context("the demo has written no page")?;
    let program = browser().context("there was a browser")?;
    let mut browser = Browser::start(program, &workspace::results().join("browser"))?;
    for domain in ["Page", "Runtime", "Network", "Log"] {
        browser.call(&format!("{domain}.enable"), &json!({}))?;
    }
    let page = format!("file://{}", path.display());
    let mut faults = Vec::new();
    for (number, (name, width, light)) in LOOKS.iter().enumerate() {
        set(&mut browser, *width, light)?;
        if number == 0 {
            browser.call("Page.navigate", &json!({"url": page}))?;
            browser.until("Page.loadEventFired")?;
        }
        let seen = browser.evaluate(SCRIPT)?;
        println!(
            "page, {name}, {width} px: {} acts, {} tables, {} pictures, {} texts looked at",
            seen["acts"], seen["tables"], seen["pictures"], seen["texts"]
        );
        let wrong = seen["faults"]
            .as_array()
            .context("the script gives faults")?;
        faults.extend(
            wrong
                .iter()
                .map(|fault| format!("{name}: {}", plain(fault))),
        );
        for what in ["acts", "tables", "pictures", "texts"] {
            ensure!(seen[what].as_u64() > Some(0), "the page has no {what}");
        }
        photograph(&mut browser, name, *width)?;
    }
    faults.extend(noise(&browser, &page));
    for fault in &faults {
        println!("page, FAULT: {fault}");
    }
    if faults.is_empty() {
        println!(
            "page: no faults; pictures: {}",
            workspace::results().join("demo-*.png").display()
        );
    }
    Ok(faults.is_empty())
}

/// Errors that were told, and requests for anything but the page.
fn noise(browser: &Browser, page: &str) -> Vec<String> {
    let mut noise = Vec::new();
    for request in browser.told("Network.requestWillBeSent") {
        let url = plain(&request["request"]["url"]);
        if url != page {
            noise.push(format!("it asks for {url}"));
        }
    }
    for error in browser.told("Runtime.exceptionThrown") {
        noise.push(format!("a script failed: {error}"));
    }
    for said in browser.told("Runtime.consoleAPICalled") {
        noise.push(format!("it says: {}", said["args"]));
    }
    for entry in browser.told("Log.entryAdded") {
        noise.push(format!(
            "the browser says: {}",
            plain(&entry["entry"]["text"])
        ));
    }
    noise
}

fn plain(text: &Value) -> String {
    text.as_str()
        .map_or_else(|| text.to_string(), str::to_owned)
}

fn set(browser: &mut Browser, width: u32, light: &str) -> Result<()> {
    let screen =
        json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
    browser.call("Emulation.setDeviceMetricsOverride", &screen)?;
    let media = json!({"features": [{"name": "prefers-color-scheme", "value": light}]});
    browser.call("Emulation.setEmulatedMedia", &media)?;
    Ok(())
}

/// The whole page, as an image.
fn photograph(browser: &mut Browser, name: &str, width: u32) -> Result<()> {
    let height = browser.evaluate("document.documentElement.scrollHeight")?;
    let params = json!({
        "format": "png",
        "captureBeyondViewport": true,
        "clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1},
    });
    let shot = browser.call("Page.captureScreenshot", &params)?;
    let data = shot["data"]
        .as_str()
        .context("the browser gives a picture")?;
    let path = workspace::results().join(format!("demo-{name}.png"));
    fs::write(path, BASE64_STANDARD.decode(data)?)?;
    Ok(())
}
