//! Tells cargo that the migrations are part of this crate: they are embedded, and a new file changes no source of it.

fn main() {
    println!("cargo::rerun-if-changed=../../../migrations/postgres");
}
