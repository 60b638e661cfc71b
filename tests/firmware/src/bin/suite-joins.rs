//! The part of the conformance suite that is about structured concurrency.
#![no_std]
#![no_main]

ecluse_firmware::image!(ecluse_conformance::ours::Joins);
