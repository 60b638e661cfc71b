//! The part of the conformance suite that is about relays, once-cells and refreshers.
#![no_std]
#![no_main]

ecluse_firmware::image!(ecluse_conformance::ours::Relays);
