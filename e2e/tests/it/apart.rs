//! The same journey with each service as a process of its own, on PostgreSQL.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Command, Stdio},
    time::Duration,
};

use testing::{Issuer, TestDatabase, eventually, media};

use crate::{
    api::Api,
    binaries::{self, Process},
    journey::check_outputs,
};

/// The settings that all processes share, as `docker compose` would give them.
pub struct Deployment {
    pub settings: Vec<(String, String)>,
    pub processes: Vec<Process>,
}

impl Deployment {
    pub fn command(&self, binary: &str) -> Command {
        let mut command = Command::new(binaries::path(binary));
        command.envs(self.settings.iter().cloned()).env_remove("AWS_PROFILE");
        command
    }

    fn start(&mut self, binary: &str, settings: &[(&str, &str)]) {
        let child = self.command(binary).envs(settings.iter().copied()).spawn().expect("the service runs");
        self.processes.push(Process(child));
    }

    /// What a container's health check would see.
    fn is_healthy(&self, binary: &str, address: &str) -> bool {
        let mut check = self.command(binary);
        check.arg("--health").env("SEGUE_LISTEN", address).status().expect("the check runs").success()
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Starts local-cloud and takes over the `export` lines that it prints.
    pub fn start_local_cloud(&mut self, data: &std::path::Path) {
        let mut child = self
            .command("local-cloud")
            .args(["--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()
            .expect("local-cloud runs");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        self.processes.push(Process(child));
        for line in output.lines() {
            let line = line.expect("its output is text");
            let Some((name, value)) = line.strip_prefix("export ").and_then(|line| line.split_once('=')) else {
                continue;
            };
            self.set(name, value.trim_matches(['"', '\'']));
            if name == "AWS_ENDPOINT_URL" {
                break;
            }
        }
    }

    pub fn setting(&self, name: &str) -> &str {
        let found = self.settings.iter().find(|(known, _)| known == name);
        &found.expect("the setting is there").1
    }
}

/// A port that was free a moment ago.
pub fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

pub async fn until_ready(address: &str) {
    let url = format!("http://{address}/readyz");
    eventually(Duration::from_secs(60), || async {
        reqwest::get(&url).await.ok().filter(|response| response.status().is_success())
    })
    .await;
}

#[tokio::test]
async fn each_service_as_a_process_of_its_own_on_postgresql() {
    let directory = tempfile::tempdir().unwrap();
    let (database, issuer) = (TestDatabase::postgres().await, Issuer::new());
    let mut deployment = Deployment { settings: Vec::new(), processes: Vec::new() };
    deployment.start_local_cloud(&directory.path().join("aws"));
    let auth = issuer.auth_args();
    let [transcoder, worker, ingest, messages, uploads] = [(); 5].map(|()| free_address());
    let keys = format!("{}:{}", deployment.setting("AWS_ACCESS_KEY_ID"), deployment.setting("AWS_SECRET_ACCESS_KEY"));
    let scratch = directory.path().join("scratch").display().to_string();
    deployment.set("SEGUE_DATABASE_URL", database.args().url.expose());
    deployment.set("AWS_ENDPOINT_URL_ELASTIC_TRANSCODER", &format!("http://{transcoder}"));
    deployment.set("SEGUE_JWKS_URL", auth.jwks_url.as_str());
    deployment.set("SEGUE_JWT_ISSUER", &auth.jwt_issuer);
    deployment.set("SEGUE_JWT_AUDIENCE", &auth.jwt_audience);
    deployment.set("SEGUE_ACCESS_KEYS", &keys);
    deployment.set("SEGUE_SCRATCH_DIR", &scratch);
    deployment.set("SEGUE_TRANSCODER_SHARE_BUCKET", "segue-transcoder-share");
    let services = [
        ("transcoder", &transcoder),
        ("transcode-worker", &worker),
        ("notification-ingest", &ingest),
        ("messages-api", &messages),
        ("upload-api", &uploads),
    ];
    for (binary, address) in services {
        deployment.start(binary, &[("SEGUE_LISTEN", address)]);
    }
    // The services wait for their queues, provisioning for the transcoder.
    let provisioned = deployment.command("segue").arg("provision").status().expect("segue runs");
    assert!(provisioned.success());
    for (binary, address) in services {
        until_ready(address).await;
        assert!(deployment.is_healthy(binary, address), "{binary} says of itself that it is not ready");
    }
    let again = deployment.command("segue").arg("provision").status().expect("segue runs");
    assert!(again.success(), "provisioning twice is as good as once");

    let alice = Api::new(&format!("http://{uploads}"), &issuer.token("alice"));
    let alices_messages = alice.at(&format!("http://{messages}"));
    let bobs_messages = Api::new(&format!("http://{messages}"), &issuer.token("bob"));
    let file = alice.upload_form(&media::mp3(directory.path(), 2.0)).await;
    let file = alice.done(file["id"].as_str().unwrap()).await;
    check_outputs(&alice, &file, 2.0, directory.path()).await;
    let notices = alices_messages.unread(1).await;
    assert_eq!(notices[0]["text"], "Your file tone.mp3 has been processed");
    assert_eq!(notices.len(), 1);
    assert_eq!(bobs_messages.json("/v1/messages").await["items"].as_array().unwrap().len(), 0);
    // Local cloud last, so that the services can finish what they have in hand.
    while let Some(process) = deployment.processes.pop() {
        assert!(process.terminate(), "a service did not stop with success");
    }
}
