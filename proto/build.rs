//! Generates the Rust types and services from the .proto files, and the descriptor set that travels with them.
//!
//! protox compiles the files, so that building needs no protoc. The descriptor set is written by protox itself: going
//! through prost's descriptor types would lose the validation rules, which are options that prost does not know.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use tonic_prost_build::Config;

/// Where the product's own .proto files are, below this crate.
const PACKAGE_FOLDER: &str = "pointbridge/v1";

/// The codec of every generated service: it refuses what breaks the rules before a handler sees it.
const CODEC: &str = "crate::codec::CheckedCodec";

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed={PACKAGE_FOLDER}");
    println!("cargo::rerun-if-changed=buf");

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true);
    compiler.open_files(proto_files(&root.join(PACKAGE_FOLDER))?)?;
    fs::write(out.join("descriptor_set.binpb"), compiler.encode_file_descriptor_set())?;

    // Comments become documentation, so the generator gets the sources' positions; the embedded set does without.
    compiler.include_source_info(true);
    let set = compiler.file_descriptor_set();

    let mut config = Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .build_transport(false)
        .codec_path(CODEC)
        .compile_fds_with_config(set, config)?;
    Ok(())
}

/// All .proto files of a folder, in byte order, so that the output is the same on every machine.
fn proto_files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
