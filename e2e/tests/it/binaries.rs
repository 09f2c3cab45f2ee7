//! The binaries under test, built from what lies here now.

use std::{
    path::PathBuf,
    process::{Child, Command},
    sync::OnceLock,
};

/// The path of a binary of this workspace. All are built once in a test process, so that a test
/// never runs an old one.
pub fn path(name: &str) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        // With the tests, as these were built: alone, the binaries would get dependencies of other features.
        let build = ["build", "--quiet", "--locked", "--workspace", "--all-targets"];
        let status = Command::new(env!("CARGO")).args(build).status();
        assert!(status.expect("cargo runs").success(), "the binaries do not build");
        // This test lies in <target>/debug/deps.
        let test = std::env::current_exe().expect("this test has a path");
        test.ancestors().nth(2).expect("a target directory").to_owned()
    });
    directory.join(name)
}

/// A process that does not outlive the test.
pub struct Process(pub Child);

impl Process {
    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.0.kill().expect("the process is killed");
        self.0.wait().expect("the process is gone");
    }

    /// Asks it to stop, and gives back whether it exited with success.
    pub fn terminate(mut self) -> bool {
        self.signal(rustix::process::Signal::TERM);
        self.0.wait().expect("the process ends").success()
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
        rustix::process::kill_process(pid, signal).expect("the signal is sent");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
