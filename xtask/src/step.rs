//! Steps of a test run: each has a budget, a log and one line.
//!
//! Invariants:
//! 1. A step that takes more than twice its budget fails, and whatever it runs is killed at that moment.
//! 2. Only the output of what failed is printed.
//! 3. A step that was asked for but ran nothing has failed. Only a step whose tool is missing may be left out, only where
//!    the user said so, and it is named and counted.

use crate::{
    libtest::Tally,
    process::{self, Exit},
    workspace,
};
use anyhow::{Context, Result, bail};
use core::time::Duration;
use std::{
    fs::{self, File},
    io::{self, IsTerminal, Write as _},
    path::PathBuf,
    process::Command,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Instant,
};

/// What a step does. An `Err` is the reason why it failed.
pub(crate) type Body<S> = Box<dyn FnOnce(&mut Run, &mut S) -> Result<()>>;

/// A step of a run whose steps share an `S`.
pub(crate) struct Step<S> {
    pub(crate) name: String,
    /// What it takes on two cores with nothing built.
    pub(crate) budget: Duration,
    /// A tool without which the step cannot be, if it is missing here: what it is and how to get it.
    pub(crate) missing: Option<String>,
    pub(crate) body: Body<S>,
}

/// A step while it runs.
pub(crate) struct Run {
    name: String,
    deadline: Instant,
    log: PathBuf,
    /// Number of programs run.
    pub(crate) programs: usize,
    /// Tests that the step counted.
    pub(crate) tests: Tally,
    /// Printed instead of the log if the step fails.
    pub(crate) show: Option<String>,
}

impl Run {
    /// For a command that is no step of a test run, with a limit for all of it.
    pub(crate) fn alone(name: &str, limit: Duration) -> Result<Self> {
        let log = workspace::logs().context("cannot make the log directory")?;
        let log = log.join(workspace::file_name(name)).with_extension("log");
        File::create(&log)?;
        Ok(Run {
            name: name.into(),
            deadline: Instant::now() + limit,
            log,
            programs: 0,
            tests: Tally::default(),
            show: None,
        })
    }

    /// What was printed so far.
    pub(crate) fn output(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What is left until twice the budget.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Runs a command, its output appended to the step's log, and returns its output; a failure is an error.
    pub(crate) fn run(&mut self, command: &mut Command) -> Result<String> {
        let (exit, output) = self.try_run(command)?;
        if exit == Exit::Success {
            return Ok(output);
        }
        bail!("{exit}: {}", shown(command))
    }

    /// As `run`, but an unsuccessful end is told apart from not having run at all.
    pub(crate) fn try_run(&mut self, command: &mut Command) -> Result<(Exit, String)> {
        let mut log = File::options().create(true).append(true).open(&self.log)?;
        writeln!(log, "$ {}", shown(command))?;
        self.programs += 1;
        let before = fs::metadata(&self.log)?.len() as usize;
        let exit = process::run(command, log.try_clone()?, log, self.left(), &process::NEVER)?;
        let bytes = fs::read(&self.log)?;
        Ok((
            exit,
            String::from_utf8_lossy(&bytes[before.min(bytes.len())..]).into_owned(),
        ))
    }

    /// Runs a command with its stdout in a file of its own: returns how it ended, its stdout and its stderr.
    pub(crate) fn run_apart(&mut self, command: &mut Command) -> Result<(Exit, String, String)> {
        self.run_within(command, self.left())
    }

    /// As `run_apart`, killed after `limit` at the latest.
    pub(crate) fn run_within(
        &mut self,
        command: &mut Command,
        limit: Duration,
    ) -> Result<(Exit, String, String)> {
        let out = self.log.with_extension("out");
        self.programs += 1;
        let exit = process::run(
            command,
            File::create(&out)?,
            File::create(&self.log)?,
            self.left().min(limit),
            &process::NEVER,
        )?;
        let read =
            |path| -> Result<String> { Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned()) };
        Ok((exit, read(&out)?, read(&self.log)?))
    }
}

/// The command as one would type it, without the environment.
pub(crate) fn shown(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let program = program
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy()
        .into_owned();
    let words = command
        .get_args()
        .map(|arg| arg.to_string_lossy().into_owned());
    core::iter::once(program)
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// How strictly the steps are run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// Budgets are multiplied by this.
    pub(crate) slack: f64,
    /// Leave out steps whose tool is missing.
    pub(crate) skip_missing: bool,
}

/// What came of all steps.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) steps: Tally,
    pub(crate) tests: Tally,
    /// Steps that failed.
    pub(crate) failed: Vec<String>,
    /// Steps left out, with what is missing.
    pub(crate) skipped: Vec<String>,
}

/// Runs all steps in order; a failed one does not stop the others.
pub(crate) fn run_all<S>(steps: Vec<Step<S>>, policy: Policy, shared: &mut S) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let width = steps.iter().map(|step| step.name.len()).max().unwrap_or(0) + 4;
    for mut step in steps {
        let name = step.name.clone();
        if let Some(missing) = step.missing.take() {
            if policy.skip_missing {
                println!("{} skipped: {missing}", head(&name, width));
                outcome.steps.skipped += 1;
                outcome.skipped.push(format!("{name}: {missing}"));
                continue;
            }
            step.body =
                Box::new(move |_, _| bail!("{missing} (`--skip-missing` leaves the step out)"));
        }
        let (tests, good) = run_one(step, width, policy.slack, shared)?;
        outcome.tests += tests;
        if good {
            outcome.steps.passed += 1;
        } else {
            outcome.steps.failed += 1;
            outcome.failed.push(name);
        }
    }
    Ok(outcome)
}

fn head(name: &str, width: usize) -> String {
    format!(
        "{name} {}",
        ".".repeat(width.saturating_sub(name.len() + 1))
    )
}

fn run_one<S>(step: Step<S>, width: usize, slack: f64, shared: &mut S) -> Result<(Tally, bool)> {
    let Step {
        name, budget, body, ..
    } = step;
    let budget = budget.mul_f64(slack);
    let started = Instant::now();
    let log = workspace::logs()
        .context("cannot make the log directory")?
        .join(workspace::file_name(&name));
    let log = log.with_extension("log");
    File::create(&log)?;
    let deadline = started + 2 * budget;
    let mut run = Run {
        name: name.clone(),
        deadline,
        log,
        programs: 0,
        tests: Tally::default(),
        show: None,
    };
    let head = head(&name, width);
    let done = {
        let _progress = Progress::start(head.clone(), started, budget);
        body(&mut run, shared)
    };
    let took = started.elapsed();
    let mut problem = done.err().map(|error| format!("{error:#}"));
    if took > 2 * budget {
        let late = format!(
            "took more than twice its budget of {:.0} s",
            budget.as_secs_f64()
        );
        problem = Some(problem.map_or(late.clone(), |problem| format!("{late}; {problem}")));
    }
    if problem.is_none() && run.programs == 0 {
        problem = Some("never ran: it has nothing to run".into());
    }
    if problem.is_none() && run.tests.failed > 0 {
        problem = Some(format!("{} failed", run.tests.failed));
    }
    let mark = if problem.is_some() { "  FAILED" } else { "" };
    println!(
        "{head} {:.1} s (budget {:.0} s){mark}",
        took.as_secs_f64(),
        budget.as_secs_f64()
    );
    if let Some(problem) = &problem {
        report(&run, problem);
    }
    io::stdout().flush()?;
    Ok((run.tests, problem.is_none()))
}

fn report(run: &Run, problem: &str) {
    let output = match &run.show {
        Some(text) => text.clone(),
        None => run.output(),
    };
    println!("---- {}: {problem}", run.name);
    if !output.trim().is_empty() {
        println!("{}", output.trim_end());
    }
    println!("---- end of {}; log: {}", run.name, run.log.display());
}

/// A line that counts the seconds, on terminals only.
struct Progress {
    end: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Progress {
    fn start(head: String, started: Instant, budget: Duration) -> Self {
        if !io::stdout().is_terminal() {
            return Progress {
                end: None,
                thread: None,
            };
        }
        let (end, ended) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            while ended.recv_timeout(Duration::from_millis(200)) == Err(RecvTimeoutError::Timeout) {
                print!(
                    "\r{head} {:.0} s (budget {:.0} s)",
                    started.elapsed().as_secs_f64(),
                    budget.as_secs_f64()
                );
                let _ = io::stdout().flush();
            }
            print!("\r\x1b[K");
        });
        Progress {
            end: Some(end),
            thread: Some(thread),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        slack: 1.0,
        skip_missing: false,
    };
    const LONG: Duration = Duration::from_secs(30);

    fn step(name: &str, budget: Duration, body: Body<()>) -> Step<()> {
        Step {
            name: format!("selftest-{}-{name}", std::process::id()),
            budget,
            missing: None,
            body,
        }
    }

    fn sh(script: &'static str) -> Body<()> {
        Box::new(|run, ()| run.run(Command::new("sh").args(["-c", script])).map(drop))
    }

    #[test]
    fn a_failed_step_does_not_stop_the_next() {
        let outcome = run_all(
            vec![
                step("bad", LONG, sh("exit 1")),
                step("good", LONG, sh("true")),
            ],
            POLICY,
            &mut (),
        );
        let outcome = outcome.unwrap();
        assert_eq!(
            outcome.steps,
            Tally {
                passed: 1,
                failed: 1,
                skipped: 0
            }
        );
        assert!(outcome.failed[0].ends_with("bad"));
    }

    #[test]
    fn a_hang_is_killed_at_twice_the_budget() {
        let started = Instant::now();
        let hang = step("hang", Duration::from_millis(50), sh("sleep 60"));
        assert_eq!(
            run_all(vec![hang], POLICY, &mut ()).unwrap().steps.failed,
            1
        );
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_step_that_runs_nothing_has_failed() {
        let outcome = run_all(
            vec![step("empty", LONG, Box::new(|_, ()| Ok(())))],
            POLICY,
            &mut (),
        )
        .unwrap();
        assert_eq!(outcome.steps.failed, 1);
    }

    #[test]
    fn a_missing_tool_fails_the_step_unless_the_user_said_skip() {
        let lacking = || Step {
            missing: Some("no tool".into()),
            ..step("lacking", LONG, sh("true"))
        };
        assert_eq!(
            run_all(vec![lacking()], POLICY, &mut ())
                .unwrap()
                .steps
                .failed,
            1
        );
        let lenient = Policy {
            skip_missing: true,
            ..POLICY
        };
        let outcome = run_all(vec![lacking()], lenient, &mut ()).unwrap();
        assert_eq!(
            outcome.steps,
            Tally {
                skipped: 1,
                ..Tally::default()
            }
        );
        assert!(outcome.skipped[0].ends_with("no tool"));
    }
}
