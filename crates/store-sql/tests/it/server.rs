//! PostgreSQL servers of our own: made in a temporary folder, reached by a socket in it, gone when the test process is,
//! however it ends.
//!
//! A keeper (a shell) starts the server and then waits for the end of its input. The other end is held by this process:
//! when it ends, even by a kill, the keeper stops the server and removes the folder.

use std::{
    io::Write,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

const KEEPER: &str = r#"
"$@" >"$FOLDER/log" 2>&1 </dev/null &
server=$!
read -r word
kill -QUIT "$server" 2>/dev/null
wait "$server"
[ "$word" = keep ] || rm -rf "$FOLDER"
"#;
const MISSING: &str =
    "PostgreSQL's server is not on this machine; these tests need it: install Debian's package postgresql-15";

pub(crate) struct Server {
    folder: PathBuf,
    bin: PathBuf,
    settings: Vec<String>,
    keeper: Mutex<Option<Child>>,
    databases: AtomicU32,
}

impl Server {
    /// One server for all tests that do it no harm.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// A server of one test, with settings such as `fsync=off`.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let bin = bin();
        let folder = tempfile::Builder::new().prefix("pinward-pg").tempdir().unwrap().keep();
        let server = Self {
            folder,
            bin,
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            keeper: Mutex::new(None),
            databases: AtomicU32::new(0),
        };
        if is_root() {
            run(Command::new("chown").arg("postgres:postgres").arg(&server.folder));
        }
        let data = server.folder.join("data");
        let arguments =
            ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"];
        run(server.command("initdb").args(arguments).arg(data));
        server.run();
        server
    }

    /// Starts the server again after [`kill`](Self::kill).
    pub(crate) fn run(&self) {
        let mut keeper = Command::new("sh");
        keeper.env("FOLDER", &self.folder).args(["-c", KEEPER, "keeper"]);
        let server = self.command("postgres");
        keeper.arg(server.get_program()).args(server.get_args());
        keeper.arg("-D").arg(self.folder.join("data")).arg("-k").arg(&self.folder);
        let common = ["listen_addresses=", "max_connections=300", "fsync=on", "log_min_messages=fatal"];
        for setting in common.into_iter().chain(self.settings.iter().map(String::as_str)) {
            keeper.args(["-c", setting]);
        }
        let child = keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        *self.keeper.lock().unwrap() = Some(child.unwrap());
        for _ in 0..600 {
            let ready =
                Command::new(self.bin.join("pg_isready")).arg("-q").arg("-h").arg(&self.folder).status();
            if ready.unwrap().success() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        panic!("PostgreSQL did not start: {log}");
    }

    /// Kills the server as a crash would, and waits until all of it is gone.
    pub(crate) fn kill(&self) {
        let pids = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        run(Command::new("kill").args(["-9", pids.lines().next().unwrap()]));
        let mut keeper = self.keeper.lock().unwrap().take().unwrap();
        keeper.stdin.take().unwrap().write_all(b"keep\n").unwrap();
        keeper.wait().unwrap();
        // Its children see that it is gone, one after the other; until then the next one does not start.
        thread::sleep(Duration::from_millis(500));
    }

    /// An empty database; its URL.
    pub(crate) async fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}")).await;
        self.url(&name)
    }

    /// Runs statements as the superuser.
    pub(crate) async fn sql(&self, database: &str, text: &str) {
        client(&self.url(database)).await.batch_execute(text).await.unwrap();
    }

    fn url(&self, database: &str) -> String {
        let folder = self.folder.to_str().unwrap().replace('/', "%2F");
        format!("postgres://postgres@{folder}/{database}")
    }

    /// Where its files are.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A connection to its socket, for a proxy.
    pub(crate) fn socket(&self) -> PathBuf {
        let socket = self.folder.join(".s.PGSQL.5432");
        UnixStream::connect(&socket).unwrap();
        socket
    }

    /// PostgreSQL's own programs refuse to run as root.
    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        if !is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.lock().unwrap().take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }
}

/// A plain connection.
pub(crate) async fn client(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn bin() -> PathBuf {
    let debian = PathBuf::from("/usr/lib/postgresql/15/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = [debian].into_iter().chain(std::env::split_paths(&path));
    places.find(|place| place.join("initdb").exists()).expect(MISSING)
}

fn is_root() -> bool {
    let probe = Command::new("id").arg("-u").output().unwrap();
    probe.stdout.starts_with(b"0\n")
}

fn run(command: &mut Command) {
    let output = command.current_dir(Path::new("/")).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
