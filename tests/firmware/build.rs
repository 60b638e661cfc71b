//! Gives the linker the memory of the machine that runs the target's images.

use std::{env, fs, path::PathBuf};

fn main() {
    let target = env::var("TARGET").expect("cargo names the target");
    let memory = match target.split('-').next() {
        Some("thumbv6m") => "v6m",
        Some("thumbv7m" | "thumbv7em") => "v7",
        Some("thumbv8m.main") => "v8m",
        Some("riscv32imac") => "rv32",
        _ => panic!("no machine is known for {target}"),
    };
    let source = format!("memory/{memory}.x");
    let dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo gives a directory"));
    fs::copy(&source, dir.join("memory.x")).expect("memory.x is copied");
    println!("cargo:rerun-if-changed={source}");
    println!("cargo:rustc-link-search={}", dir.display());
    if memory == "rv32" {
        // cortex-m-rt's script includes the memory by itself.
        println!("cargo:rustc-link-arg-bins=-Tmemory.x");
    } else {
        println!("cargo:rustc-link-arg-bins=--nmagic");
    }
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
}
