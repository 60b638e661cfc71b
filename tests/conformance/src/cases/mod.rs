//! Cases that every implementation of the API must pass. They name their types through `subject` only.

use super::subject;

pub(crate) mod claim;
pub(crate) mod harness;
pub(crate) mod orphan;
pub(crate) mod parts;

suite![harness, claim, orphan];
