//! The product's API, as a user's program would call it.

use std::{path::Path, time::Duration};

use futures::StreamExt;
use reqwest::{Client, RequestBuilder, Response, StatusCode, multipart::Form};
use serde_json::Value;
use testing::eventually;

/// How long a file may take to be done on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// One user's view.
#[derive(Clone)]
pub struct Api {
    client: Client,
    base: String,
    token: String,
}

impl Api {
    pub fn new(base: &str, token: &str) -> Self {
        Self { client: Client::new(), base: base.to_owned(), token: token.to_owned() }
    }

    /// The same API at the address of another service.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// The same API with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    /// Uploads as a browser's form does; gives back the file.
    pub async fn upload_form(&self, path: &Path) -> Value {
        let form = Form::new().file("file", path).await.unwrap();
        created(self.post("/v1/files").multipart(form).send().await.unwrap()).await
    }

    /// Uploads a raw body under a name; gives back the file.
    pub async fn upload_raw(&self, name: &str, body: impl Into<reqwest::Body>) -> Value {
        let url = reqwest::Url::parse_with_params(&format!("{}/v1/files", self.base), [("filename", name)]).unwrap();
        created(self.client.post(url).bearer_auth(&self.token).body(body).send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.base)).bearer_auth(&self.token).send().await.unwrap()
    }

    pub async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    pub async fn delete(&self, path: &str) -> StatusCode {
        let request = self.client.delete(format!("{}{path}", self.base)).bearer_auth(&self.token);
        request.send().await.unwrap().status()
    }

    /// The file, once nothing more will happen to it.
    pub async fn done(&self, id: &str) -> Value {
        eventually(PATIENCE, || async {
            let file = self.json(&format!("/v1/files/{id}")).await;
            matches!(file["state"].as_str(), Some("complete" | "error" | "canceled")).then_some(file)
        })
        .await
    }

    /// The unread notices, once there are as many as expected.
    pub async fn unread(&self, count: usize) -> Vec<Value> {
        eventually(PATIENCE, || async {
            let page = self.json("/v1/messages?limit=100").await;
            let items = page["items"].as_array().unwrap().clone();
            (items.len() >= count).then_some(items)
        })
        .await
    }

    /// Saves an output under the directory; gives back its path and the name it is served under.
    pub async fn download(&self, id: &str, output: &str, directory: &Path) -> (std::path::PathBuf, String) {
        let response = self.get(&format!("/v1/files/{id}/outputs/{output}")).await;
        assert_eq!(response.status(), StatusCode::OK);
        let disposition = response.headers()["content-disposition"].to_str().unwrap().to_owned();
        let path = directory.join(format!("{id}.{output}"));
        std::fs::write(&path, response.bytes().await.unwrap()).unwrap();
        (path, disposition)
    }

    /// Opens the stream of notices; each comes out as its JSON.
    pub async fn stream(&self) -> tokio::sync::mpsc::UnboundedReceiver<Value> {
        let response = self.get("/v1/messages/stream").await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let mut body = response.bytes_stream();
        tokio::spawn(async move {
            let mut text = String::new();
            while let Some(Ok(chunk)) = body.next().await {
                text.push_str(&String::from_utf8_lossy(&chunk));
                while let Some((event, rest)) = text.split_once("\n\n") {
                    if let Some(data) = event.lines().find_map(|line| line.strip_prefix("data:"))
                        && event.lines().any(|line| line.trim_end() == "event: message")
                        && sender.send(serde_json::from_str(data).unwrap()).is_err()
                    {
                        return;
                    }
                    text = rest.to_owned();
                }
            }
        });
        receiver
    }
}

async fn created(response: Response) -> Value {
    let status = response.status();
    let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
    let file: Value = response.json().await.unwrap();
    assert_eq!(status, StatusCode::CREATED, "{file}");
    assert_eq!(location, Some(format!("/v1/files/{}", file["id"].as_str().unwrap())));
    file
}
