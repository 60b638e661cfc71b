//! The part of the conformance suite that is about the cancellation tree.
#![no_std]
#![no_main]

ecluse_firmware::image!(ecluse_conformance::ours::Scopes);
