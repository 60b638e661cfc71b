//! One run of the mutants at a time: two would break the same copy of the tree, each the other's.

use anyhow::{Context, Result, bail};
use std::{
    fs::{File, OpenOptions, create_dir_all},
    io,
    path::Path,
};

/// Held by a run. The system lets go of it however the run ends, so none is ever left over.
#[derive(Debug)]
pub(super) struct Alone(#[expect(dead_code, reason = "open for as long as the run lasts")] File);

impl Alone {
    /// Takes the lock of the mutants' place, or says that somebody has it.
    pub(super) fn take(place: &Path) -> Result<Self> {
        create_dir_all(place)?;
        let path = place.join("lock");
        match open_alone(&path).with_context(|| format!("cannot lock {}", path.display()))? {
            Some(file) => Ok(Self(file)),
            None => bail!(
                "another `cargo xtask mutants` is running in {}: wait for its end, or give this one another \
                 CARGO_TARGET_DIR",
                place.display()
            ),
        }
    }
}

#[cfg(unix)]
fn open_alone(path: &Path) -> io::Result<Option<File>> {
    use rustix::{
        fs::{FlockOperation, flock},
        io::Errno,
    };

    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A file that is opened for nobody else is a lock.
#[cfg(windows)]
fn open_alone(path: &Path) -> io::Result<Option<File>> {
    use std::os::windows::fs::OpenOptionsExt;

    const SHARING_VIOLATION: i32 = 32;
    let open = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .share_mode(0)
        .open(path);
    match open {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.raw_os_error() == Some(SHARING_VIOLATION) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_run_is_told_of_the_first() {
        let place = std::env::temp_dir().join(format!("ecluse-xtask-{}-alone", std::process::id()));
        let first = Alone::take(&place).unwrap();
        let refused = Alone::take(&place).unwrap_err().to_string();
        assert!(
            refused.contains("another `cargo xtask mutants` is running"),
            "{refused}"
        );
        drop(first);
        Alone::take(&place).unwrap();
        std::fs::remove_dir_all(place).unwrap();
    }
}
