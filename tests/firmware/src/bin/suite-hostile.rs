//! The part of the conformance suite that is about hostile wakers, histories and traces.
#![no_std]
#![no_main]

ecluse_firmware::image!(ecluse_conformance::ours::Hostile);
