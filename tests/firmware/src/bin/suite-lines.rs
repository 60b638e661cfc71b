//! The part of the conformance suite that is about the line.
#![no_std]
#![no_main]

ecluse_firmware::image!(ecluse_conformance::ours::Lines);
