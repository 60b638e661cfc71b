//! What the fuzzer kept, once more: every input of `tests/fuzz/corpus`, by the driver of its target.
//!
//! A crash that the fuzzer finds becomes a test with a name (in `found.rs`), not a file here.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
};

use crate::all::ALL;

#[test]
fn what_the_fuzzer_kept_does_what_the_models_do() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus");
    for (name, run) in ALL {
        let mut inputs = 0;
        let entries = fs::read_dir(corpus.join(name)).expect("every target has a corpus");
        for entry in entries {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| run(&bytes))) {
                eprintln!("by {}", path.display());
                resume_unwind(payload);
            }
            inputs += 1;
        }
        assert!(inputs > 0, "{name} has no inputs");
    }
}
