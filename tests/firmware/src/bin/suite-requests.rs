//! The part of the conformance suite that is about requests in flight.
#![no_std]
#![no_main]

ecluse_firmware::image!(ecluse_conformance::ours::Requests);
