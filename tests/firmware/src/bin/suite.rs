//! The conformance suite, all of it, for chips whose flash holds it.
#![no_std]
#![no_main]

ecluse_firmware::image!(ecluse_conformance::ours::All);
