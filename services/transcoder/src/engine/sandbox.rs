//! Where programs run that read what nobody vouches for: no files but those of their job, no network, and an end when
//! the service ends.
//!
//! Landlock and seccomp hold for a thread and what it starts. So each program is started by a thread of its own, which
//! shuts itself in first and then waits for the program's end, as a program that is to die with its parent dies with
//! that thread.

#[cfg(target_os = "linux")]
mod filter;

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, anyhow};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;

/// Less than what people wait for.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;
/// Where systems keep the libraries of their programs, and two devices without which some programs do not start: static
/// builds of ffprobe take random numbers at once.
#[cfg(target_os = "linux")]
const LIBRARIES: [&str; 9] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/nix/store",
    "/etc/ld.so.cache",
    "/dev/null",
    "/dev/urandom",
];

/// Starts programs and keeps them in.
#[derive(Debug)]
pub struct Sandbox {
    /// What may be read and executed.
    #[cfg(target_os = "linux")]
    readable: Vec<PathBuf>,
    /// The program that has another killed when its parent dies (util-linux).
    setpriv: Option<PathBuf>,
    #[cfg(target_os = "linux")]
    filters: Option<[seccompiler::BpfProgram; 2]>,
}

/// A program that runs. It is killed when this is dropped.
#[derive(Debug)]
pub struct Contained {
    /// The program.
    pub child: Child,
    /// Lets the thread go that started it.
    _end: mpsc::Sender<()>,
}

impl Sandbox {
    /// For these programs, files or directories of them. What the system cannot do is said once, here.
    pub fn new(programs: &[PathBuf]) -> Self {
        let setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].map(PathBuf::from).into_iter().find(|path| path.is_file());
        let sandbox = Self::of_system(programs, setpriv);
        let missing = sandbox.missing();
        if !missing.is_empty() {
            tracing::warn!("this system cannot keep ffmpeg from {}", missing.join(", nor from "));
        }
        sandbox
    }

    /// Starts a program that may write below `directory`.
    pub fn start(
        &self,
        program: &Path,
        directory: &Path,
        prepare: impl FnOnce(&mut Command),
    ) -> anyhow::Result<Contained> {
        let mut command = match &self.setpriv {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        prepare(&mut command);
        let (walls, runtime) = (self.walls(directory)?, Handle::current());
        let (started, result) = mpsc::sync_channel(1);
        let (end, ended) = mpsc::channel::<()>();
        let run = move || {
            let child = walls.enter().and_then(|()| {
                let _runtime = runtime.enter();
                Ok(command.spawn()?)
            });
            let is_running = child.is_ok();
            // Nobody may be waiting any more: then the child is dropped, and so killed.
            if started.send(child).is_ok() && is_running {
                // An error is what it waits for: the other end is gone.
                let _ = ended.recv();
            }
        };
        thread::Builder::new().name("sandbox".into()).spawn(run).context("cannot start a thread")?;
        let child = result.recv().map_err(|_| anyhow!("a thread ended early"))?;
        Ok(Contained { child: child.with_context(|| format!("cannot start {}", program.display()))?, _end: end })
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreated,
        RulesetCreatedAttr, RulesetStatus, Scope, path_beneath_rules,
    };
    use seccompiler::BpfProgram;

    use super::*;

    /// What is used of Landlock; older kernels do what they know of it.
    const LANDLOCK: ABI = ABI::V6;

    /// What a thread puts around itself.
    pub struct Walls {
        files: RulesetCreated,
        filters: Option<[BpfProgram; 2]>,
    }

    impl Walls {
        pub fn enter(self) -> anyhow::Result<()> {
            // It is the thread's own, and its children's.
            rustix::process::nice(NICE).context("cannot lower the priority")?;
            self.files.restrict_self().context("cannot restrict access to files")?;
            let mut filters = self.filters.iter().flatten();
            filters.try_for_each(|filter| seccompiler::apply_filter(filter)).context("cannot restrict system calls")
        }
    }

    impl Sandbox {
        pub(super) fn of_system(programs: &[PathBuf], setpriv: Option<PathBuf>) -> Self {
            let libraries = LIBRARIES.iter().map(PathBuf::from);
            let readable = libraries.chain(programs.iter().cloned()).chain(setpriv.clone()).collect();
            Self { readable, setpriv, filters: filter::filters() }
        }

        pub(super) fn walls(&self, directory: &Path) -> anyhow::Result<Walls> {
            let files = Ruleset::default()
                .set_compatibility(CompatLevel::BestEffort)
                .handle_access(AccessFs::from_all(LANDLOCK))?
                .handle_access(AccessNet::from_all(LANDLOCK))?
                .scope(Scope::from_all(LANDLOCK))?
                .create()?
                .add_rules(path_beneath_rules(&self.readable, AccessFs::from_read(LANDLOCK)))?
                .add_rules(path_beneath_rules([directory], AccessFs::from_all(LANDLOCK) & !AccessFs::Execute))?;
            Ok(Walls { files, filters: self.filters.clone() })
        }

        pub(super) fn missing(&self) -> Vec<&'static str> {
            // Tried by a thread that ends at once.
            let files = self.walls(Path::new("/")).ok().map(|walls| thread::spawn(|| walls.files.restrict_self()));
            let status = files.and_then(|thread| thread.join().ok()).and_then(Result::ok);
            let has_files = status.is_some_and(|status| status.ruleset != RulesetStatus::NotEnforced);
            let all = [
                (has_files, "reading other files (Landlock: Linux 5.13 or newer)"),
                (self.filters.is_some(), "the network (seccomp)"),
                (self.setpriv.is_some(), "outliving this process (setpriv of util-linux)"),
            ];
            all.into_iter().filter(|(is_there, _)| !is_there).map(|(_, name)| name).collect()
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::*;

    /// Other systems have none of this for a program's children.
    pub struct Walls;

    impl Walls {
        pub fn enter(self) -> anyhow::Result<()> {
            Ok(())
        }
    }

    impl Sandbox {
        pub(super) fn of_system(_: &[PathBuf], _: Option<PathBuf>) -> Self {
            Self { setpriv: None }
        }

        pub(super) fn walls(&self, _: &Path) -> anyhow::Result<Walls> {
            Ok(Walls)
        }

        pub(super) fn missing(&self) -> Vec<&'static str> {
            vec!["reading other files", "the network", "outliving this process"]
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::process::Stdio;

    use super::*;

    const DEADLINE: std::time::Duration = std::time::Duration::from_secs(20);

    /// `None` on a system that cannot do all of it, which then is not tested.
    fn sandbox() -> Option<Sandbox> {
        let sandbox = Sandbox::new(&["/bin".into(), "/usr/bin".into()]);
        let missing = sandbox.missing();
        if !missing.is_empty() {
            eprintln!("not tested: {missing:?}");
        }
        missing.is_empty().then_some(sandbox)
    }

    /// Runs a script in a job's directory and gives back what it said, and on which stream.
    async fn shell(sandbox: &Sandbox, directory: &Path, script: &str) -> (String, String) {
        let prepare = |command: &mut Command| {
            command.args(["-c", script]).current_dir(directory).env_clear().env("PATH", "/usr/bin:/bin");
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        };
        let contained = sandbox.start(Path::new("/bin/sh"), directory, prepare).unwrap();
        let output = contained.child.wait_with_output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    }

    #[tokio::test]
    async fn only_the_own_directory_is_open() {
        let Some(sandbox) = sandbox() else { return };
        let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(other.path().join("secret"), "a secret").unwrap();
        let path = other.path().display();
        let script = format!(
            "echo mine > file; cat file; cat {path}/secret; cat /etc/passwd; echo x > {path}/new; ls {path}; echo x > /tmp/x-$$"
        );
        let (said, complaints) = shell(&sandbox, own.path(), &script).await;
        assert_eq!(said, "mine\n", "{complaints}");
        assert_eq!(complaints.matches("ermission denied").count(), 5, "{complaints}");
        assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn there_is_no_network_and_no_other_process() {
        let Some(sandbox) = sandbox() else { return };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = tempfile::tempdir().unwrap();
        let script = format!(
            "ffmpeg -v error -nostdin -f mp3 -i tcp://127.0.0.1:{port}?timeout=1000000 -f null - ; kill -0 {} ; nice",
            std::process::id()
        );
        let (said, complaints) = shell(&sandbox, own.path(), &script).await;
        let connection = format!("tcp://127.0.0.1:{port}?timeout=1000000: Operation not permitted");
        assert!(complaints.contains(&connection), "{complaints}");
        assert!(complaints.contains("kill: Operation not permitted"), "{complaints}");
        assert_eq!(said.trim(), "10");
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "somebody connected");
    }

    /// What perl's `syscall` says of each of these calls, as numbers of errors.
    async fn errors(sandbox: &Sandbox, calls: &[&str]) -> Vec<i32> {
        let own = tempfile::tempdir().unwrap();
        let calls: String = calls.iter().map(|call| format!("$! = 0; syscall({call}); print $! + 0, qq( );")).collect();
        let (said, complaints) = shell(sandbox, own.path(), &format!("perl -e '{calls}'")).await;
        assert_eq!(complaints, "");
        said.split_whitespace().map(|number| number.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn there_is_no_way_around_the_forbidden_calls() {
        let Some(sandbox) = sandbox() else { return };
        if !Path::new("/usr/bin/perl").exists() {
            eprintln!("not tested: there is no perl");
            return;
        }
        let (clone, clone3) = (libc::SYS_clone, libc::SYS_clone3);
        // User, mount, network, pid, ipc, uts and cgroup, each with SIGCHLD, as fork would have it.
        let flags = [0x1000_0000, 0x0002_0000, 0x4000_0000, 0x2000_0000, 0x0800_0000, 0x0400_0000, 0x0200_0000];
        let clones: Vec<String> = flags.map(|flag| format!("{clone}, {}, 0, 0, 0, 0", flag | 17)).into();
        let mut calls: Vec<&str> = clones.iter().map(String::as_str).collect();
        let pair = format!("{}, 1, 1, 0, my $two = qq(12345678)", libc::SYS_socketpair);
        let id = std::process::id();
        let signal = format!("{}, {id}, 0", libc::SYS_kill);
        let threads_signal = format!("{}, {id}, {id}, 0", libc::SYS_tgkill);
        calls.extend([pair.as_str(), &signal, &threads_signal]);
        assert_eq!(errors(&sandbox, &calls).await, vec![libc::EPERM; calls.len()]);
        assert_eq!(errors(&sandbox, &[&format!("{clone3}, 0, 0")]).await, [libc::ENOSYS]);
        if cfg!(target_arch = "x86_64") {
            // Without the filter a kernel that does not know x32 says ENOSYS.
            let x32 = [41, 53, 56, 435, 521, 539].map(|call| format!("{}, 0, 0, 0", 0x4000_0000_i64 | call));
            let x32: Vec<&str> = x32.iter().map(String::as_str).collect();
            assert_eq!(errors(&sandbox, &x32).await, vec![libc::EPERM; x32.len()]);
        }
    }

    #[tokio::test]
    async fn it_ends_with_the_thread_that_started_it() {
        let own = tempfile::tempdir().unwrap();
        let Some(sandbox) = sandbox() else { return };
        let prepare = |command: &mut Command| {
            command.arg("600").current_dir(own.path()).stdin(Stdio::null());
        };
        let Contained { mut child, _end } = sandbox.start(Path::new("/bin/sleep"), own.path(), prepare).unwrap();
        // From here on it is the program itself, with all that was arranged for it.
        let name = format!("/proc/{}/comm", child.id().unwrap());
        let deadline = std::time::Instant::now() + DEADLINE;
        while std::fs::read_to_string(&name).unwrap().trim() != "sleep" {
            assert!(std::time::Instant::now() < deadline, "it does not start");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        drop(_end);
        let status = tokio::time::timeout(DEADLINE, child.wait()).await;
        assert!(!status.expect("it ends").unwrap().success());
    }
}
