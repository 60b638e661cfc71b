//! A browser without a window, and one page in it: Chromium's DevTools protocol over two pipes.
//!
//! Invariants:
//! 1. Nothing of the user's is touched: the browser has a profile of its own, which is removed with it.
//! 2. Every answer is waited for up to a limit; then, as in every other case, the browser is ended.

use anyhow::{Context, Result, bail, ensure};
use core::time::Duration;
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Instant,
};

/// How long an answer may take: the first waits for the browser's start.
const LIMIT: Duration = Duration::from_secs(60);

/// How long it may take to end when it is asked to.
const GOING: Duration = Duration::from_secs(10);

/// The end of a message on the pipes.
const END: u8 = 0;

pub(super) struct Browser {
    process: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    profile: PathBuf,
    /// The number of the last command.
    last: u64,
    /// The page that all commands are for, once there is one.
    session: Option<String>,
    /// What the browser told unasked.
    events: Vec<Value>,
}

impl Browser {
    /// Starts `program` with its profile in `profile`, and opens an empty page.
    pub(super) fn start(program: &str, profile: &Path) -> Result<Self> {
        if profile.exists() {
            fs::remove_dir_all(profile).context("the last profile cannot be removed")?;
        }
        fs::create_dir_all(profile)?;
        // The browser reads commands from 3 and answers on 4; the shell makes these of the pipes that we have.
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null"])
            .arg(program)
            .args(["--headless", "--remote-debugging-pipe", "--no-sandbox"])
            .args(["--disable-gpu", "--no-first-run", "--disable-sync"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args(["--disable-dev-shm-usage", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = shell.spawn().context("cannot run sh")?;
        let to = process.stdin.take().context("it has a pipe")?;
        let mut answers = BufReader::new(process.stdout.take().context("it has a pipe")?);
        let (sender, from) = mpsc::channel();
        // Ends with the browser, which closes the pipe.
        thread::spawn(move || {
            let mut message = Vec::new();
            while answers
                .read_until(END, &mut message)
                .is_ok_and(|read| read > 0)
            {
                let text = message.strip_suffix(&[END]).unwrap_or(&message);
                let parsed = serde_json::from_slice(text).unwrap_or_default();
                if sender.send(parsed).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut browser = Self {
            process,
            to,
            from,
            profile: profile.to_owned(),
            last: 0,
            session: None,
            events: Vec::new(),
        };
        let blank = json!({"url": "about:blank"});
        let target = browser.call("Target.createTarget", &blank)?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", &attach)?;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        Ok(browser)
    }

    /// Gives a command, and its answer.
    pub(super) fn call(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(END);
        let gone = "the browser has gone; does it run at all with `--headless --version`?";
        self.to.write_all(&bytes).context(gone)?;
        self.to.flush().context(gone)?;
        let number = self.last;
        let mut answer = self.wait(method, |message| message["id"] == number)?;
        if !answer["error"].is_null() {
            bail!(
                "the browser refuses {method}: {}",
                answer["error"]["message"]
            );
        }
        Ok(answer["result"].take())
    }

    /// Waits until the browser tells `event`, if it has not yet.
    pub(super) fn until(&mut self, event: &str) -> Result<()> {
        if self.events.iter().any(|told| told["method"] == event) {
            return Ok(());
        }
        let told = self.wait(event, |message| message["method"] == event)?;
        self.events.push(told);
        Ok(())
    }

    /// What it told since this was asked last: the parameters of each `event`.
    pub(super) fn told(&self, event: &str) -> impl Iterator<Item = &Value> {
        let told = self
            .events
            .iter()
            .filter(move |told| told["method"] == event);
        told.map(|told| &told["params"])
    }

    /// What a script gives that runs in the page.
    pub(super) fn evaluate(&mut self, script: &str) -> Result<Value> {
        let params = json!({"expression": script, "returnByValue": true, "awaitPromise": true});
        let mut result = self.call("Runtime.evaluate", &params)?;
        let thrown = &result["exceptionDetails"];
        ensure!(
            thrown.is_null(),
            "the script that looks at the page failed: {thrown}"
        );
        Ok(result["result"]["value"].take())
    }

    fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let end = Instant::now() + LIMIT;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = self.from.recv_timeout(left).map_err(|_| {
                anyhow::anyhow!(
                    "the browser has not answered {what} within {} s",
                    LIMIT.as_secs()
                )
            })?;
            if wanted(&message) {
                return Ok(message);
            }
            if !message["method"].is_null() {
                self.events.push(message);
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked, it ends its other processes, too, before it ends itself: the profile is in no use any more.
        self.session = None;
        if self.call("Browser.close", &json!({})).is_err() {
            // It may have ended already.
            let _ = self.process.kill();
        }
        let end = Instant::now() + GOING;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < end {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}
