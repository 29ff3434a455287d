//! A PostgreSQL server of our own, to measure and to test with: made in a new folder, reached on the loopback address
//! and by a socket, gone with its folder when this process is, however it ends. Never where decisions are kept.
//!
//! A keeper (a shell) starts the server and then waits for the end of its input. The other end is held by this process:
//! when it ends, even by a kill, the keeper stops the server and removes the folder.

use std::{
    fs, io,
    io::Write,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

pub use yardstick::{Yardstick, pgbench};

mod yardstick;

const KEEPER: &str = r#"
"$@" >"$FOLDER/log" 2>&1 </dev/null &
server=$!
read -r word
kill -QUIT "$server" 2>/dev/null
wait "$server"
[ "$word" = keep ] || rm -rf "$FOLDER"
"#;
/// Durable as a server in production is.
const SETTINGS: [&str; 5] = [
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "max_connections=300",
    "log_min_messages=fatal",
];
/// A free port may be taken by somebody else between the look and the start.
const PORTS: usize = 5;
const READY_STEP: Duration = Duration::from_millis(50);
const READY_STEPS: usize = 1200;
/// A killed server's children see one after the other that it is gone; until then the next one does not start.
const KILLED_PAUSE: Duration = Duration::from_millis(500);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum LocalServerError {
    /// The programs are not on this machine.
    #[error(
        "PostgreSQL's server is not on this machine: install it (Debian: postgresql-15), or put its programs on the PATH"
    )]
    Missing,
    /// One of its programs failed.
    #[error("{program}: {said}")]
    Program {
        /// Which one.
        program: String,
        /// Its complaint.
        said: String,
    },
    /// It started, and takes no connections.
    #[error("PostgreSQL did not start: {0}")]
    NotReady(String),
    /// The system's trouble.
    #[error("{path}: {source}")]
    Io {
        /// With which file or program.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A running server. Dropping it stops it and removes its folder. Its calls wait, so inside a runtime they belong on a
/// thread that may.
#[derive(Debug)]
pub struct LocalServer {
    folder: PathBuf,
    programs: PathBuf,
    settings: Vec<String>,
    port: u16,
    keeper: Mutex<Option<Child>>,
    databases: AtomicU32,
}

impl LocalServer {
    /// Makes a server in a new folder inside of `inside`, and starts it. `settings` such as `shared_buffers=1GB` come
    /// after our own, which are durable: fsync and synchronous commits on. As root it becomes PostgreSQL's own user,
    /// who must be able to reach `inside`.
    ///
    /// # Errors
    /// [`LocalServerError`].
    pub fn start(inside: &Path, settings: &[&str]) -> Result<Self, LocalServerError> {
        let programs = programs()?;
        let folder = new_folder(inside)?;
        let mut server = Self {
            folder,
            programs,
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            port: 0,
            keeper: Mutex::new(None),
            databases: AtomicU32::new(0),
        };
        if let Err(error) = server.make() {
            let _ = fs::remove_dir_all(&server.folder);
            return Err(error);
        }
        Ok(server)
    }

    fn make(&mut self) -> Result<(), LocalServerError> {
        if is_root()? {
            finish(Command::new("chown").arg("postgres:postgres").arg(&self.folder))?;
        }
        let arguments =
            ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"];
        finish(self.command("initdb")?.args(arguments).arg(self.data()))?;
        for _ in 1..PORTS {
            self.port = free_port()?;
            match self.run() {
                Err(LocalServerError::NotReady(log)) if log.contains("TCP/IP sockets") => {}
                result => return result,
            }
        }
        self.port = free_port()?;
        self.run()
    }

    /// Starts the server again after [`kill`](Self::kill), at the same addresses.
    ///
    /// # Errors
    /// [`LocalServerError`].
    pub fn run(&self) -> Result<(), LocalServerError> {
        let _ = fs::remove_file(self.log());
        let mut keeper = Command::new("sh");
        keeper.current_dir("/").env("FOLDER", &self.folder).args(["-c", KEEPER, "keeper"]);
        let server = self.command("postgres")?;
        keeper.arg(server.get_program()).args(server.get_args());
        keeper.arg("-D").arg(self.data()).arg("-k").arg(&self.folder);
        keeper.args(["-c", "listen_addresses=127.0.0.1", "-p", &self.port.to_string()]);
        for setting in SETTINGS.into_iter().chain(self.settings.iter().map(String::as_str)) {
            keeper.args(["-c", setting]);
        }
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut keeper =
            keeper.spawn().map_err(|source| LocalServerError::Io { path: "sh".into(), source })?;
        let ready = self.wait_until_ready();
        if ready.is_ok() {
            *lock(&self.keeper) = Some(keeper);
        } else {
            // The folder stays for the next attempt; whoever gives up removes it.
            dismiss(&mut keeper, b"keep\n");
        }
        ready
    }

    fn wait_until_ready(&self) -> Result<(), LocalServerError> {
        for _ in 0..READY_STEPS {
            let status = self.client("pg_isready").arg("-q").status();
            let path = PathBuf::from("pg_isready");
            if status.map_err(|source| LocalServerError::Io { path, source })?.success() {
                return Ok(());
            }
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            // Whoever looks while it starts is told so in the log as well.
            if log.lines().any(|line| line.contains("FATAL") && !line.contains("the database system is")) {
                break;
            }
            thread::sleep(READY_STEP);
        }
        Err(LocalServerError::NotReady(fs::read_to_string(self.log()).unwrap_or_default()))
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Kills the server as a crash would, and waits until all of it is gone.
    ///
    /// # Errors
    /// [`LocalServerError`]; it did not run.
    pub fn kill(&self) -> Result<(), LocalServerError> {
        let path = self.data().join("postmaster.pid");
        let pids = fs::read_to_string(&path).map_err(|source| LocalServerError::Io { path, source })?;
        finish(Command::new("kill").args(["-9", pids.lines().next().unwrap_or_default()]))?;
        if let Some(mut keeper) = lock(&self.keeper).take() {
            dismiss(&mut keeper, b"keep\n");
        }
        thread::sleep(KILLED_PAUSE);
        Ok(())
    }

    /// An empty database of a name of its own; its URL, by the socket.
    ///
    /// # Errors
    /// [`LocalServerError`].
    pub fn database(&self) -> Result<String, LocalServerError> {
        let name = format!("pinward{}", self.databases.fetch_add(1, Ordering::Relaxed));
        finish(self.client("createdb").arg(&name))?;
        Ok(self.url(&name))
    }

    /// The URL of a database, by the socket.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let folder = self.folder.to_string_lossy().replace('/', "%2F");
        format!("postgres://postgres@{folder}:{}/{database}", self.port)
    }

    /// The URL of a database, over TCP on the loopback address.
    #[must_use]
    pub fn tcp_url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Its port on the loopback address.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.port))
    }

    /// Where the server's files are.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// One of PostgreSQL's client programs, told how to reach the server.
    #[must_use]
    pub fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir("/").env("PGHOST", &self.folder).env("PGPORT", self.port.to_string());
        command.env("PGUSER", "postgres");
        command
    }

    /// PostgreSQL's server refuses to run as root.
    fn command(&self, program: &str) -> Result<Command, LocalServerError> {
        let program = self.programs.join(program);
        if !is_root()? {
            return Ok(Command::new(program));
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        Ok(command)
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        match lock(&self.keeper).take() {
            Some(mut keeper) => dismiss(&mut keeper, b""),
            None => drop(fs::remove_dir_all(&self.folder)),
        }
    }
}

/// Has the keeper stop the server, and waits for it.
fn dismiss(keeper: &mut Child, word: &[u8]) {
    if let Some(mut input) = keeper.stdin.take() {
        let _ = input.write_all(word);
    }
    let _ = keeper.wait();
}

fn new_folder(inside: &Path) -> Result<PathBuf, LocalServerError> {
    let mut random = [0; 6];
    // Without randomness the folder of an earlier server of this process may be in the way; that is said then.
    let _ = getrandom::fill(&mut random);
    let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let io_error = |path: &Path, source| LocalServerError::Io { path: path.to_owned(), source };
    let inside = inside.canonicalize().map_err(|source| io_error(inside, source))?;
    let folder = inside.join(format!("pinward-pg-{name}"));
    fs::create_dir(&folder).map_err(|source| io_error(&folder, source))?;
    Ok(folder)
}

fn free_port() -> Result<u16, LocalServerError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| LocalServerError::Io { path: "127.0.0.1:0".into(), source })
}

fn programs() -> Result<PathBuf, LocalServerError> {
    let debian = PathBuf::from("/usr/lib/postgresql/15/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = [debian].into_iter().chain(std::env::split_paths(&path));
    places.find(|place| place.join("initdb").exists()).ok_or(LocalServerError::Missing)
}

fn is_root() -> Result<bool, LocalServerError> {
    Ok(finish(Command::new("id").arg("-u"))?.trim() == "0")
}

/// Runs a program to its end; what it wrote.
fn finish(command: &mut Command) -> Result<String, LocalServerError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| LocalServerError::Io { path: program.clone().into(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(LocalServerError::Program { program, said: String::from_utf8_lossy(&output.stderr).into_owned() })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
