//! The part of the conformance suite that is about hostile wakers in trees, and hostile values, keys and functions.
#![no_std]
#![no_main]

ecluse_firmware::image!(ecluse_conformance::ours::HostileValues);
