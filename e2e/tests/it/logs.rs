//! What the log of a whole flow tells, and what it must not.

use std::{fs::File, path::Path};

use reqwest::StatusCode;
use serde_json::{Value, json};
use testing::media;

use crate::{journey::check_outputs, up::Up};

/// Our crates at their most talkative, and whatever others warn of.
const FILTER: &str = "warn,segue=debug,upload_api=debug,transcode_worker=debug,transcoder=debug,notification_ingest=debug,\
                      messages_api=debug,runtime=debug,queue=debug,database=debug,sns=debug,http_server=debug,local_cloud=debug";

/// Runs a file through everything that has a secret; gives back the log, the file's id and the secrets.
async fn flow(directory: &Path, format: &str) -> (String, String, Vec<String>) {
    let (data, log) = (directory.join(format), directory.join(format!("{format}.log")));
    // Nobody listens there, so that posts fail and are told of.
    let hosts = ("SEGUE_WEBHOOK_PRIVATE_HOSTS", "127.0.0.1:9");
    let settings = [("SEGUE_LOG", FILTER), ("SEGUE_LOG_FORMAT", format), hosts];
    let up = Up::start_logging(&data, &settings, File::create(&log).unwrap());
    let alice = up.api(&data, "alice");
    let webhook = json!({ "url": "http://127.0.0.1:9/hook?key=hidden-in-a-url", "events": ["file.complete"] });
    let made: Value = alice.post("/v1/webhooks").json(&webhook).send().await.unwrap().json().await.unwrap();
    let _stream = alice.stream().await;
    let file = alice.upload_form(&media::mp3(directory, 2.0)).await;
    let id = file["id"].as_str().unwrap().to_owned();
    let file = alice.done(&id).await;
    // Downloads follow presigned URLs.
    check_outputs(&alice, &file, 2.0, directory).await;
    alice.unread(1).await;
    // A token that is refused is as secret as one that is taken: it may be good elsewhere.
    let forged = alice.with_token("forged.token.of-somebody");
    assert_eq!(forged.get("/v1/files").await.status(), StatusCode::UNAUTHORIZED);
    let secret = made["secret"].as_str().expect("the secret of a new webhook");
    let secrets = [alice.token(), forged.token(), "hidden-in-a-url", secret].map(str::to_owned).to_vec();
    assert!(up.process.terminate());
    (std::fs::read_to_string(log).unwrap(), id, secrets)
}

fn tells_no_secret(log: &str, secrets: &[String]) {
    let marks = ["X-Amz-Signature", "x-amz-signature", "X-Amz-Credential", "Bearer ", "eyJ"];
    for secret in secrets.iter().map(String::as_str).chain(marks) {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "the log tells {secret}");
    }
}

#[tokio::test]
async fn json_lines_bear_the_ids_of_request_user_file_and_job_and_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let (log, id, secrets) = flow(directory.path(), "json").await;
    tells_no_secret(&log, &secrets);
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let line = |message: &str| {
        let found = lines.iter().find(|line| line["message"] == message);
        found.unwrap_or_else(|| panic!("no line says {message:?}:\n{log}"))
    };
    let stored = &line("file stored")["span"];
    assert_eq!(
        (&stored["name"], &stored["user"], &stored["file_id"]),
        (&json!("request"), &json!("alice"), &json!(id))
    );
    assert_eq!(stored["route"], "/v1/files");
    assert!(stored["id"].as_str().is_some_and(|id| !id.is_empty()), "{stored}");
    let noticed = &line("notice stored")["span"];
    assert_eq!((&noticed["name"], &noticed["user"]), (&json!("message"), &json!("alice")));
    assert_eq!((&noticed["file_id"], &noticed["queue"]), (&json!(id), &json!("segue-results-messages")));
    let ended = line("job ended");
    let job = ended["span"]["job_id"].as_str().expect("the span of a job");
    assert_eq!((noticed["job_id"].as_str(), &ended["span"]["name"]), (Some(job), &json!("job")));
}

#[tokio::test]
async fn text_for_people_bears_the_same_ids_and_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let (log, id, secrets) = flow(directory.path(), "pretty").await;
    tells_no_secret(&log, &secrets);
    let line = |message: &str| log.lines().find(|line| line.contains(message)).unwrap_or_else(|| panic!("{log}"));
    for part in ["request{", "route=\"/v1/files\"", "user=\"alice\"", &format!("file_id={id}")] {
        assert!(line("file stored").contains(part), "{part} is not in {}", line("file stored"));
    }
    for part in ["message{", "job_id=", "user=\"alice\"", &format!("file_id={id}")] {
        assert!(line("notice stored").contains(part), "{part} is not in {}", line("notice stored"));
    }
}
