//! Tells the program how it was compiled, for its report.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let level = std::env::var("OPT_LEVEL").unwrap_or_default();
    println!("cargo::rustc-env=ECLUSE_DEMO_OPT_LEVEL={level}");
}
