//! Installs what real clients and servers need, once per lockfile.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Failure, Run};

/// npm packages, into `node_modules` beside the lockfile. Install scripts do not run.
pub(crate) fn npm(directory: &Path, node_version: &str) -> Result<(), Failure> {
    let installed = directory.join("node_modules");
    let stamp = Stamp::new(&installed, &directory.join("package-lock.json"), node_version)?;
    if stamp.is_current() {
        return Ok(());
    }
    Run::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .dir(directory)
        .run()?;
    stamp.write()
}

/// Python packages, into a fresh `.venv` beside the requirements: wheels only, hashes checked.
/// Returns the environment's interpreter.
pub(crate) fn pip(directory: &Path, python: &str, version: &str) -> Result<PathBuf, Failure> {
    let installed = directory.join(".venv");
    let interpreter = installed.join(if cfg!(windows) { "Scripts/python" } else { "bin/python" });
    let stamp = Stamp::new(&installed, &directory.join("requirements.txt"), version)?;
    if stamp.is_current() {
        return Ok(interpreter);
    }
    Run::new(python).args(["-m", "venv", "--clear", ".venv"]).dir(directory).run()?;
    Run::new(&interpreter)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(["--require-hashes", "--only-binary", ":all:", "--requirement", "requirements.txt"])
        .dir(directory)
        .run()?;
    stamp.write()?;
    Ok(interpreter)
}

/// A file among the installed packages that says what they were installed from: the lockfile's
/// content and the interpreter's version. It is written last, so an interrupted install is redone.
pub(crate) struct Stamp {
    path: PathBuf,
    content: String,
}

impl Stamp {
    fn new(installed: &Path, lockfile: &Path, version: &str) -> Result<Self, Failure> {
        let lockfile = fs::read_to_string(lockfile)?;
        Ok(Self::of(installed, &format!("{version}\n{lockfile}")))
    }

    /// A stamp for a folder whose contents this text describes.
    pub(crate) fn of(installed: &Path, content: &str) -> Self {
        Self { path: installed.join(".installed"), content: content.to_owned() }
    }

    pub(crate) fn is_current(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|content| content == self.content)
    }

    pub(crate) fn write(&self) -> Result<(), Failure> {
        Ok(fs::write(&self.path, &self.content)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_install_is_current_until_its_lockfile_or_interpreter_changes() {
        let directory = std::env::temp_dir().join(format!("xtask-stamp-{}", std::process::id()));
        let lockfile = directory.join("lock");
        fs::create_dir_all(&directory).unwrap();
        fs::write(&lockfile, "a 1.0").unwrap();

        let stamp = |version| Stamp::new(&directory, &lockfile, version).unwrap();
        assert!(!stamp("v20").is_current(), "nothing is installed yet");
        stamp("v20").write().unwrap();
        assert!(stamp("v20").is_current());
        assert!(!stamp("v22").is_current(), "another interpreter");
        fs::write(&lockfile, "a 1.1").unwrap();
        assert!(!stamp("v20").is_current(), "another lockfile");

        fs::remove_dir_all(&directory).unwrap();
    }
}
