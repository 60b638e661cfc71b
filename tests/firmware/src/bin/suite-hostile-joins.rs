//! The part of the conformance suite that is about hostile children: joined, counted by tickets, spawned into scopes.
#![no_std]
#![no_main]

ecluse_firmware::image!(ecluse_conformance::ours::HostileJoins);
