//! Runs a child with its output in a file and a time limit.
//!
//! Invariants:
//! 1. Every child leads a process group of its own, so that the limit ends what it started, too.
//! 2. A live group is in `LIVE`; whoever interrupts us (Ctrl-C, SIGTERM) ends all of them first.

use std::{
    fmt,
    fs::File,
    io,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use core::time::Duration;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// By itself, with success.
    Success,
    /// By itself, with this code.
    Code(i32),
    /// By a signal, such as an abort's.
    Signal(i32),
    /// Killed by us at its limit.
    TimedOut(Duration),
    /// Killed by us because its result was not wanted any more.
    Stopped,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Success => write!(f, "ended well"),
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(6) => write!(f, "aborted (signal 6)"),
            Exit::Signal(11) => write!(f, "segmentation fault (signal 11)"),
            Exit::Signal(signal) => write!(f, "ended by signal {signal}"),
            Exit::TimedOut(limit) => write!(f, "killed after its limit of {} s", limit.as_secs()),
            Exit::Stopped => write!(f, "stopped"),
        }
    }
}

/// Never set: for children that nobody stops early.
pub(crate) static NEVER: AtomicBool = AtomicBool::new(false);

static LIVE: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Runs `command` with stdout and stderr in these files, no stdin, and kills its group at `limit` or when `stop` is set.
pub(crate) fn run(
    command: &mut Command,
    stdout: File,
    stderr: File,
    limit: Duration,
    stop: &AtomicBool,
) -> io::Result<Exit> {
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let started = Instant::now();
    let mut child = command.spawn().map_err(|error| {
        io::Error::new(
            error.kind(),
            format!(
                "cannot run {}: {error}",
                command.get_program().to_string_lossy()
            ),
        )
    })?;
    live(|groups| groups.push(child.id()));
    let exit = wait(&mut child, started, limit, stop);
    live(|groups| groups.retain(|id| *id != child.id()));
    exit
}

fn wait(
    child: &mut Child,
    started: Instant,
    limit: Duration,
    stop: &AtomicBool,
) -> io::Result<Exit> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(exit_of(status));
        }
        let over = started.elapsed() >= limit;
        if over || stop.load(Ordering::Relaxed) {
            kill_group(child.id());
            // Where there are no groups this ends the child at least; where there are it has gone already.
            let _ = child.kill();
            child.wait()?;
            return Ok(if over {
                Exit::TimedOut(limit)
            } else {
                Exit::Stopped
            });
        }
        thread::sleep(Duration::from_millis(
            if started.elapsed().as_millis() < 200 {
                2
            } else {
                20
            },
        ));
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Exit::Signal(signal);
    }
    match status.code() {
        Some(0) => Exit::Success,
        code => Exit::Code(code.unwrap_or(-1)),
    }
}

#[cfg(unix)]
fn kill_group(id: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        // It may have ended by itself since we looked.
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill_group(_id: u32) {}

fn live(change: impl FnOnce(&mut Vec<u32>)) {
    change(&mut LIVE.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Ends all children when we are told to end. To be called once, by a command that runs children in groups of their own.
pub(crate) fn end_children_on_interrupt() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        live(|groups| groups.iter().for_each(|id| kill_group(*id)));
        std::process::exit(130);
    })?;
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::{env, fs};

    fn sh(script: &str, name: &str, limit: Duration, stop: &AtomicBool) -> (Exit, String) {
        let path = env::temp_dir().join(format!("ecluse-xtask-{}-{name}", std::process::id()));
        let out = File::create(&path).unwrap();
        let err = out.try_clone().unwrap();
        let exit = run(
            Command::new("sh").args(["-c", script]),
            out,
            err,
            limit,
            stop,
        )
        .unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(path).unwrap();
        (exit, text)
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn output_and_exit_code_are_kept() {
        let (exit, text) = sh("echo out; echo err >&2; exit 3", "code", LONG, &NEVER);
        assert_eq!(exit, Exit::Code(3));
        assert_eq!(text, "out\nerr\n");
    }

    #[test]
    fn a_signal_is_told_apart_from_a_code() {
        assert_eq!(
            sh("kill -ABRT $$", "signal", LONG, &NEVER).0,
            Exit::Signal(6)
        );
    }

    #[test]
    fn the_limit_ends_the_whole_group() {
        use std::{
            io::Read as _,
            os::{fd::OwnedFd, unix::net::UnixStream},
        };
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(LONG)).unwrap();
        let limit = Duration::from_millis(100);
        // The shell's own child holds the other end as well: the end of the stream means that both are gone.
        let mut script = Command::new("sh");
        script.args(["-c", "echo started; sleep 60; echo slept"]);
        let out = File::from(OwnedFd::from(theirs));
        let err = File::options().write(true).open("/dev/null").unwrap();
        let exit = run(&mut script, out, err, limit, &NEVER).unwrap();
        drop(script);
        assert_eq!(exit, Exit::TimedOut(limit));
        let mut text = String::new();
        ours.read_to_string(&mut text).unwrap();
        assert_eq!(text, "started\n");
    }

    #[test]
    fn a_stop_ends_the_child() {
        let stop = AtomicBool::new(true);
        assert_eq!(sh("sleep 60", "stop", LONG, &stop).0, Exit::Stopped);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let file = || File::open("/dev/null").unwrap();
        let error = run(
            &mut Command::new("ecluse-no-such-program"),
            file(),
            file(),
            LONG,
            &NEVER,
        )
        .unwrap_err();
        assert!(error.to_string().contains("ecluse-no-such-program"));
    }
}
