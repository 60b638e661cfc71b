//! Cases that every implementation of the API must pass. They name their types through `subject` only.

pub(crate) mod harness;

suite![harness];
