//! The firmware's build script gives the memory; the arguments of the linker are each binary's own.

fn main() {
    println!("cargo:rustc-link-arg-bins=--nmagic");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
}
