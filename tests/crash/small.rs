//! A hub on a file system of its own, small or read-only, in a mount namespace that nobody else sees and that goes with the hub.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::alliance::prepare;
use crate::program::{Serving, command_of, path};

/// Takes a database with an alliance and a log of some thousand pages.
const SIZE: &str = "size=16m,mode=0700";

/// Ways to a mount namespace: for who is root already, and for everybody else where the system allows it.
const WAYS: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];

/// Mounts memory over a folder, copies the data there, and becomes the hub. The process stays the same one throughout.
const SERVE: &str = r#"mount -t tmpfs -o "$1" none "$2" && cp -a "$3"/. "$2" && exec "$0" serve --data "$2" --listen 127.0.0.1:0 --log info"#;

/// Makes a folder one that nothing can be written to, and becomes the hub there.
const SERVE_READ_ONLY: &str = r#"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec "$0" serve --data "$1" --listen 127.0.0.1:0"#;

/// The command that serves a folder which it cannot write to; `None` where this user may mount nothing.
pub(crate) fn serve_read_only(data: &Path) -> Option<Command> {
    let folder = tempfile::tempdir().unwrap();
    let way = way(folder.path())?;
    let (program, data) = (path(), data.to_str().unwrap());
    let script = ["sh", "-c", SERVE_READ_ONLY, program.to_str().unwrap(), data];
    Some(command_of(Path::new("unshare"), &[way, &script[..]].concat()))
}

/// The first way that works here; tried on an empty folder.
fn way(mountpoint: &Path) -> Option<&'static [&'static str]> {
    let works = |way: &&[&str]| {
        let script = r#"mount -t tmpfs -o "$0" none "$1""#;
        let mut command = Command::new("unshare");
        command.args(*way).args(["sh", "-c", script, SIZE]).arg(mountpoint).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    WAYS.into_iter().find(works)
}

/// A data folder, and an empty one to mount memory over.
pub(crate) struct Small {
    folder: TempDir,
    way: &'static [&'static str],
}

impl Small {
    /// Prepares a hub's data; `None` where this user may mount nothing.
    pub(crate) fn prepare() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mountpoint = folder.path().join("small");
        std::fs::create_dir(&mountpoint).unwrap();
        let way = way(&mountpoint)?;
        prepare(&folder.path().join("hub"));
        Some(Self { folder, way })
    }

    /// Serves a copy of the data on the small file system. Its log goes elsewhere.
    pub(crate) async fn serve(&self) -> Serving {
        let data = self.folder.path().join("hub");
        let (program, mountpoint) = (path(), self.folder.path().join("small"));
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (program, mountpoint, source) = (text(&program), text(&mountpoint), text(&data));
        let script = ["sh", "-c", SERVE, &program, SIZE, &mountpoint, &source];
        let command = command_of(Path::new("unshare"), &[self.way, &script[..]].concat());
        Serving::start_by(command, &data).await
    }

    /// The small file system's folder, as the hub's own process sees it.
    pub(crate) fn seen_through(&self, hub: &Serving) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", hub.process()));
        root.join(self.folder.path().join("small").strip_prefix("/").unwrap())
    }
}
