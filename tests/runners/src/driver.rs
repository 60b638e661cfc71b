//! Runs a column: each case in a thread of its own, with a time limit, a failure or a hang of one leaving the others alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ecluse_conformance::{Case, Verdict, ours};

use crate::column::Column;
use crate::{panics, report};

/// How long a case may take. One that takes longer hangs. (The longest take one or two seconds of a processor; on a machine
/// with ten other jobs that is ten times as much.)
const LIMIT: Duration = Duration::from_secs(30);

/// How a case went.
enum Went {
    Well(Verdict),
    /// With what it said.
    Wrong(String),
}

/// Prints the names of the cases, and after a tab why one does not apply to the runtime, if one was named.
pub(crate) fn list(column: Option<&Column>, pattern: &str) {
    for case in matching(pattern) {
        match column.and_then(|column| column.not_applicable(case)) {
            Some(why) => println!("{}\tn/a: {}", full_name(case), why.text()),
            None => println!("{}", full_name(case)),
        }
    }
}

/// Runs the column's cases that match; returns how many failed.
pub(crate) fn run(column: &'static Column, pattern: &str) -> usize {
    report::line(&["scale", column.name, &column.scale.to_string()]);
    let (mut passed, mut failed, mut absent) = (0, 0, 0);
    for case in matching(pattern) {
        let name = full_name(case);
        let print = |result, millis: u128, detail: &str| {
            let millis = millis.to_string();
            report::line(&["case", column.name, &name, result, &millis, detail]);
        };
        if let Some(why) = column.not_applicable(case) {
            absent += 1;
            print("n/a", 0, why.text());
            continue;
        }
        let start = Instant::now();
        let went = watched(column, case);
        let millis = start.elapsed().as_millis();
        match went {
            Went::Well(verdict) => {
                passed += 1;
                print("pass", millis, "");
                if let Verdict::Trace(trace, text) = verdict {
                    text.read(|text| report::line(&["trace", column.name, trace, text]));
                }
            }
            Went::Wrong(said) => {
                failed += 1;
                print("FAIL", millis, &said);
            }
        }
    }
    let [passed, failures, absent] = [passed, failed, absent].map(|n: usize| n.to_string());
    report::line(&["end", column.name, &passed, &failures, &absent]);
    failed
}

/// Runs one case in its own thread and waits for it as long as the limit allows.
fn watched(column: &'static Column, case: &'static Case) -> Went {
    panics::forget();
    let (tell, told) = mpsc::channel();
    let body = move || {
        let result = catch_unwind(AssertUnwindSafe(|| (column.run)(column.suite, case)));
        // The driver may have given up on this thread long ago.
        let _ = tell.send(result.map_err(|_| panics::describe_failure(thread::current().id())));
    };
    let started = thread::Builder::new().name(case.name.into()).spawn(body);
    let thread = started.expect("a thread for the case");
    match told.recv_timeout(LIMIT) {
        Ok(Ok(verdict)) => {
            thread.join().expect("the thread told that it went well");
            Went::Well(verdict)
        }
        Ok(Err(said)) => Went::Wrong(said),
        Err(_) => Went::Wrong("hung".into()),
    }
}

fn matching(pattern: &str) -> impl Iterator<Item = &'static Case> {
    ours::list().filter(move |case| full_name(case).contains(pattern))
}

fn full_name(case: &Case) -> String {
    format!("{}::{}", case.module, case.name)
}
