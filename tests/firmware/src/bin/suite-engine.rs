//! The part of the conformance suite that is about what only the core has.
#![no_std]
#![no_main]

ecluse_firmware::image!(ecluse_conformance::ours::Engine);
