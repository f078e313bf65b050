//! What a built file asks of the system that it runs on.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command::Failure;

/// Nothing is loaded when the program starts.
///
/// # Errors
///
/// It names a loader.
pub(crate) fn is_static(program: &Path) -> Result<(), Failure> {
    let bytes = fs::read(program)?;
    for loader in ["/ld-linux", "/ld-musl"] {
        if bytes.windows(loader.len()).any(|window| window == loader.as_bytes()) {
            return Err(Failure::new(format!("{} is loaded by {loader}…", program.display())));
        }
    }
    Ok(())
}

/// No symbol of it is newer than this version of glibc, such as `(2, 17)`.
///
/// # Errors
///
/// One is; the failure names the version.
pub(crate) fn runs_with_glibc(library: &Path, oldest: (u32, u32)) -> Result<(), Failure> {
    match newest_glibc(&fs::read(library)?) {
        Some(newest) if newest > oldest => {
            let (major, minor) = newest;
            Err(Failure::new(format!("{} needs glibc {major}.{minor}", library.display())))
        }
        _ => Ok(()),
    }
}

/// Every symbol is found by the loader of musl, but for those that the program it is loaded into has. `None` where
/// there is no such loader.
///
/// # Errors
///
/// A symbol is missing; the failure names it.
pub(crate) fn links_with_musl(library: &Path, own: &[&str]) -> Result<Option<()>, Failure> {
    let Some(loader) = musl_loader() else { return Ok(None) };
    let listed = Command::new(loader).arg("--list").arg(library).output()?;
    let said = String::from_utf8_lossy(&listed.stderr);
    match missing_symbol(&said, own) {
        Some(missing) => Err(Failure::new(format!("{}: {missing}", library.display()))),
        None => Ok(Some(())),
    }
}

/// The loader of musl, where it is installed (Debian: the package `musl`).
pub(crate) fn musl_loader() -> Option<String> {
    let loader = format!("/lib/ld-musl-{}.so.1", std::env::consts::ARCH);
    Path::new(&loader).exists().then_some(loader)
}

/// The first line about something that is missing, unless its name begins with one of these.
fn missing_symbol<'a>(said: &'a str, own: &[&str]) -> Option<&'a str> {
    said.lines().find(|line| match line.strip_suffix(": symbol not found") {
        Some(rest) => {
            let symbol = rest.rsplit(' ').next().unwrap_or(rest);
            !own.iter().any(|prefix| symbol.starts_with(prefix))
        }
        None => line.starts_with("Error"),
    })
}

/// The newest version among texts such as `GLIBC_2.17`.
fn newest_glibc(bytes: &[u8]) -> Option<(u32, u32)> {
    const PREFIX: &[u8] = b"GLIBC_2.";
    let starts = bytes.windows(PREFIX.len()).enumerate().filter(|(_, window)| *window == PREFIX);
    let minors = starts.filter_map(|(start, _)| {
        let rest = &bytes[start + PREFIX.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).take(3).copied();
        String::from_utf8(digits.collect()).ok()?.parse().ok()
    });
    minors.max().map(|minor| (2, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_of_glibc_is_found_by_number() {
        let bytes = b"\0GLIBC_2.2.5\0GLIBC_2.17\0GLIBC_2.9\0GLIBC_PRIVATE\0";
        assert_eq!(newest_glibc(bytes), Some((2, 17)));
        assert_eq!(newest_glibc(b"musl"), None);
    }

    #[test]
    fn symbols_of_the_program_that_loads_it_may_be_missing_and_no_others() {
        let found = "Error relocating a.so: PyErr_Occurred: symbol not found\n";
        let lost = "Error relocating a.so: __memcpy_chk: symbol not found\n";
        assert_eq!(missing_symbol(found, &["Py"]), None);
        assert_eq!(missing_symbol(&format!("{found}{lost}"), &["Py"]), Some(lost.trim_end()));
        let library = "Error loading shared library libc.so.6: No such file or directory\n";
        assert_eq!(missing_symbol(library, &["Py"]), Some(library.trim_end()));
    }
}
