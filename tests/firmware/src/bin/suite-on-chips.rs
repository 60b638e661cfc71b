//! The part of the conformance suite that is about interrupts, priorities and bad input.
#![no_std]
#![no_main]

ecluse_firmware::image!(ecluse_conformance::ours::OnChips);
