//! The part of the conformance suite that is about hostile wakers at channels.
#![no_std]
#![no_main]

ecluse_firmware::image!(ecluse_conformance::ours::HostileChannels);
