//! Keycloak: its distribution from Maven Central, in development mode, with realms from files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Provider, directory, target};
use crate::command::{Failure, Run, version};
use crate::install::Stamp;

const VERSION: &str = "26.7.3";
/// The Maven plugin that downloads it.
const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";

/// What is off by default, or is named because the tests need it.
const FEATURES: &str = "token-exchange-standard,token-exchange-delegation,parameterized-scopes,jwt-authorization-grant,identity-assertion-jwt,ssf";
/// Options of its Shared Signals: it sends to places on loopback and without TLS only when told to.
const SSF: &str = "--spi-ssf-transmitter--default";
/// How often it sends what has happened; 30 s by default.
const SSF_INTERVAL: &str = "1s";

/// Starts the server, and ends it when standard input is closed: it would not do so itself.
const UNTIL_STDIN_CLOSES: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ cat <&3; kill "$server"; } >/dev/null 2>&1 & watcher=$!
exec 3<&-
wait "$server"
status=$?
kill "$watcher" 2>/dev/null
# 143: ended by the signal that was sent.
[ "$status" = 143 ] || exit "$status"
"#;

pub(super) const PROVIDER: Provider = Provider {
    name: "Keycloak",
    tests: "keycloak",
    install,
    command: start,
    listens: |line| {
        let (_, url) = line.split_once("Listening on: ")?;
        Some(Ok(url.trim().to_owned()))
    },
};

/// Downloads and unpacks it, once per version.
fn install() -> Result<PathBuf, Failure> {
    for tool in ["sh", "mvn", "jar"] {
        let exists = tool == "sh" || version(tool).is_some();
        if !exists || cfg!(windows) {
            return Err(Failure::new(format!("{tool} is not installed")));
        }
    }
    let folder = target("keycloak");
    let home = folder.join(format!("keycloak-{VERSION}"));
    let stamp = Stamp::of(&home, VERSION);
    if stamp.is_current() {
        return Ok(home);
    }
    fs::create_dir_all(&folder)?;
    if home.exists() {
        fs::remove_dir_all(&home)?;
    }
    Run::new("mvn")
        .args(["--quiet", "--batch-mode", &format!("{PLUGIN}:copy")])
        .args([format!("-Dartifact=org.keycloak:keycloak-quarkus-dist:{VERSION}:zip")])
        .args([format!("-DoutputDirectory={}", folder.display())])
        .dir(&folder)
        .run()?;
    let zip = format!("keycloak-quarkus-dist-{VERSION}.zip");
    Run::new("jar").args(["xf", &zip]).dir(&folder).run()?;
    fs::remove_file(folder.join(zip))?;
    stamp.write()?;
    Ok(home)
}

fn start(home: &Path) -> Result<Command, Failure> {
    let data = home.join("data");
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    copy_realms(&data.join("import"))?;
    let mut command = Command::new("sh");
    command
        .args(["-c", UNTIL_STDIN_CLOSES, "sh", "sh"])
        .arg(home.join("bin/kc.sh"))
        .args(["start-dev", "--import-realm", "--db=dev-mem"])
        .args(["--http-host=127.0.0.1", "--http-port=0"])
        .arg(format!("--features={FEATURES}"))
        .arg(format!("{SSF}--allow-insecure-push-targets=true"))
        .arg(format!("{SSF}--outbox-drainer-interval={SSF_INTERVAL}"))
        .env("KC_BOOTSTRAP_ADMIN_USERNAME", "admin")
        .env("KC_BOOTSTRAP_ADMIN_PASSWORD", "admin");
    Ok(command)
}

fn copy_realms(import: &Path) -> Result<(), Failure> {
    fs::create_dir_all(import)?;
    for file in fs::read_dir(directory("keycloak"))? {
        let file = file?;
        fs::copy(file.path(), import.join(file.file_name()))?;
    }
    Ok(())
}
