//! A throw-away PostgreSQL cluster: made from the system's packages, reached through a socket in a
//! temporary directory, run as a user that is not root, gone with the process that made it.

use std::{
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Set by `with-postgres`: the URL of a cluster that all test processes share, with `{}` for the database's name.
pub const SHARED: &str = "SEGUE_TEST_POSTGRES";

/// The user that the server runs as when the tests run as root: PostgreSQL refuses root.
const USER: &str = "postgres";

/// Runs the server until its standard input closes, which the end of this process does, however it
/// ends; then stops it (SIGINT is PostgreSQL's fast shutdown) and removes its directory.
const KEEPER: &str = r#"directory=$1; shift; "$@" </dev/null & read -r _; kill -INT $!; wait $!; rm -rf "$directory""#;

/// A running server.
pub struct Cluster {
    template: String,
    /// The keeper of the server, when this process started it.
    keeper: Option<Child>,
}

/// The cluster of this test run: the shared one, or one that this process starts at first use.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| match std::env::var_os(SHARED) {
        Some(template) => Cluster { template: template.to_string_lossy().into_owned(), keeper: None },
        None => Cluster::start(),
    })
}

impl Cluster {
    /// Makes and starts a cluster.
    #[must_use]
    pub fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("segue-postgres-").tempdir().expect("a temporary directory");
        // From here on the keeper removes it.
        let directory = directory.keep();
        let data = directory.join("data");
        let as_root = rustix::process::geteuid().is_root();
        if as_root {
            chown(&directory, Some(id("-u")), Some(id("-g"))).expect("the directory is handed to postgres");
        }
        std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o700)).expect("the directory is closed");
        let mut initdb = command(&find("initdb"), as_root);
        initdb
            .args(["--auth=trust", "--username=segue", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data);
        let output = initdb.output().expect("initdb runs");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        let log = std::fs::File::create(directory.join("log")).expect("a log file");
        let keeper = command(Path::new("sh"), as_root)
            .args(["-c", KEEPER, "keeper"])
            .arg(&directory)
            .arg(find("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&directory)
            // The socket is the only way in. It is thrown away: nothing needs to survive a crash.
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off"])
            .args(["-c", "synchronous_commit=off", "-c", "max_connections=300"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("sh runs");
        wait_until_ready(&directory);
        let host = directory.display().to_string().replace('/', "%2F");
        Self { template: format!("postgres://segue@localhost/{{}}?host={host}"), keeper: Some(keeper) }
    }

    /// The URL of the database `name`.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        self.template.replace("{}", name)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }
}

/// The socket is there before the server takes connections; the last line of its pid file says
/// when it does, and is what `pg_ctl --wait` reads.
fn wait_until_ready(directory: &Path) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let status = || std::fs::read_to_string(directory.join("data/postmaster.pid")).unwrap_or_default();
    while status().lines().last().map(str::trim) != Some("ready") {
        if Instant::now() > deadline {
            let log = std::fs::read_to_string(directory.join("log")).unwrap_or_default();
            panic!("postgres did not start: {log}");
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn command(program: &Path, as_root: bool) -> Command {
    if !as_root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={USER}")).arg(format!("--regid={USER}")).arg("--clear-groups").arg(program);
    // The directory that the tests run in may be closed to that user.
    command.current_dir("/");
    command
}

/// Debian keeps the server's programs out of the PATH, by version; the newest is taken.
fn find(program: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = versions.map(|version| version.path().join("bin").join(program)).collect();
    paths.retain(|path| path.exists());
    paths.sort();
    paths.pop().unwrap_or_else(|| PathBuf::from(program))
}

fn id(flag: &str) -> u32 {
    let output = Command::new("id").args([flag, USER]).output().expect("id runs");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("the user postgres exists: install postgresql")
}
