//! The images are looked at, never run: they need an entry, no memory.

fn main() {
    println!("cargo:rustc-link-arg-bins=--entry=start");
    println!("cargo:rustc-link-arg-bins=--gc-sections");
}
