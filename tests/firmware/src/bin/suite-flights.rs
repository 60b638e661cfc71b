//! The part of the conformance suite that is about flights and groups.
#![no_std]
#![no_main]

ecluse_firmware::image!(ecluse_conformance::ours::Flights);
