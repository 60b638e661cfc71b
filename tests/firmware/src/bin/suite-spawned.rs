//! The part of the conformance suite that is about children of scopes that are tasks of their own.
#![no_std]
#![no_main]

ecluse_firmware::image!(ecluse_conformance::ours::Spawned);
