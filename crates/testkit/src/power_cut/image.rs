//! The machine's disk: an ext4 image with this program, a shell, and nothing else. Made and read without mounting it, so
//! no privilege is needed.

use std::{
    collections::BTreeSet,
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use super::tool;

const SIZE: &str = "384M";
/// Programs that are started by it, by their names inside.
const PROGRAMS: [(&str, &str); 2] = [("sh", "bin/sh"), ("ip", "bin/ip")];
/// The kernel hands the words of its command line to the first process as its environment.
const INIT: &str =
    "#!/bin/sh\n/bin/ip link set lo up\nexec /bin/power-cut guest /data \"$synced\" \"$stan\"\n";

/// An image in a folder of its own, which is removed with it.
pub(super) struct Image {
    folder: TempDir,
}

impl Image {
    /// A new one, whose store is empty.
    pub(super) fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let image = Self { folder };
        let root = image.folder.path().join("root");
        for name in ["bin", "dev", "proc", "data"] {
            fs::create_dir_all(root.join(name))?;
        }
        let init = root.join("init");
        fs::write(&init, INIT)?;
        fs::set_permissions(&init, fs::Permissions::from_mode(0o755))?;
        let us = env::current_exe()?;
        // Without its symbols a program of a debug build is a tenth of its size.
        tool(Command::new(on_path("strip")?).arg("-o").arg(root.join("bin/power-cut")).arg(&us))?;
        let mut libraries = libraries(&us)?;
        for (name, place) in PROGRAMS {
            let program = on_path(name)?;
            fs::copy(&program, root.join(place))?;
            libraries.extend(libraries_of(&program)?);
        }
        for library in libraries {
            let place = root.join(library.strip_prefix("/").unwrap_or(&library));
            fs::create_dir_all(place.parent().context("a library is in a folder")?)?;
            fs::copy(&library, place)?;
        }
        let mut make = Command::new(on_path("mkfs.ext4")?);
        make.args(["-q", "-F", "-t", "ext4", "-E", "root_owner=0:0", "-d"])
            .arg(&root)
            .arg(image.file())
            .arg(SIZE);
        tool(&mut make)?;
        fs::remove_dir_all(root)?;
        Ok(image)
    }

    /// The image itself.
    pub(super) fn file(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// The store in it, as the next boot would find it: the file system's own log is replayed first, as that boot would.
    /// A copy, so that looking changes nothing.
    pub(super) fn data(&self) -> anyhow::Result<PathBuf> {
        let disk = self.folder.path().join("copy");
        fs::copy(self.file(), &disk)?;
        // 1: it replayed or mended something, which is what it is called for.
        let check = Command::new(on_path("e2fsck")?).arg("-fy").arg(&disk).output()?;
        let said = String::from_utf8_lossy(&check.stdout);
        ensure!(
            check.status.code().is_some_and(|code| code <= 1),
            "e2fsck ended with {}: {said}",
            check.status
        );
        let out = self.folder.path().join("out");
        let _ = fs::remove_dir_all(&out);
        fs::create_dir(&out)?;
        let request = format!("rdump /data {}", out.display());
        // It ends well whatever happened, so what it wrote is looked at.
        let told = tool(Command::new(on_path("debugfs")?).args(["-R", &request]).arg(&disk))?;
        let data = out.join("data");
        ensure!(data.join("journal").is_dir(), "no journal on the disk; debugfs: {told}; e2fsck: {said}");
        fs::remove_file(&disk)?;
        Ok(data)
    }
}

fn libraries(program: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    libraries_of(program).with_context(|| format!("the libraries of {}", program.display()))
}

/// The libraries that a program is linked with, the loader included.
fn libraries_of(program: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let listed = tool(Command::new("ldd").arg(program))?;
    let paths = listed.split_whitespace().filter(|word| word.starts_with('/'));
    Ok(paths.map(PathBuf::from).collect())
}

/// Those of administrators are not on everybody's path, and work for everybody.
fn on_path(name: &str) -> anyhow::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let more = ["/sbin", "/usr/sbin"].map(PathBuf::from);
    let found =
        env::split_paths(&path).chain(more).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.with_context(|| format!("{name} is missing"))
}
