//! The product's API, as far as `segue send` uses it.

use std::{path::Path, time::Duration};

use anyhow::Context;
use common::{FileState, Filename};
use futures::StreamExt;
use reqwest::{Body, Client, Response, StatusCode, header, redirect::Policy};
use runtime::http;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::mpsc;
use tokio_util::io::ReaderStream;
use url::Url;

use super::progress::Line;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer that takes longer than this is none. It bounds silence, not an upload.
const READ_TIMEOUT: Duration = Duration::from_secs(120);
/// Pages of unread notices that are looked through.
const MAX_PAGES: usize = 50;

/// A client with a token.
pub struct Api {
    client: Client,
    base: Url,
    token: String,
}

/// A file, as far as it is shown.
#[derive(Deserialize)]
pub struct File {
    pub id: String,
    pub state: FileState,
    pub progress: u8,
    pub outputs: Vec<Output>,
}

/// One of its outputs.
#[derive(Deserialize)]
pub struct Output {
    pub name: String,
    pub state: String,
    pub error: Option<Reason>,
}

/// Why an output is missing.
#[derive(Deserialize)]
pub struct Reason {
    pub message: String,
}

/// A notice.
#[derive(Deserialize)]
pub struct Notice {
    pub text: String,
    file_id: String,
}

#[derive(Deserialize)]
struct Notices {
    items: Vec<Notice>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    detail: String,
}

impl Api {
    pub fn new(base: Url, token: String) -> anyhow::Result<Self> {
        let client = http::client_for(&base).connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT);
        // A download link is shown, not followed.
        Ok(Self { client: client.redirect(Policy::none()).build()?, base, token })
    }

    /// Uploads a file as a raw body; the line shows how far it is.
    pub async fn upload(&self, path: &Path, filename: &Filename, line: &mut Line) -> anyhow::Result<File> {
        let file = tokio::fs::File::open(path).await?;
        let total = file.metadata().await?.len();
        let (progress, mut sent) = mpsc::unbounded_channel();
        let body = ReaderStream::with_capacity(file, 256 * 1024).inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                // Nobody watches any more once the answer is there.
                let _ = progress.send(chunk.len() as u64);
            }
        });
        let mut url = self.url("/v1/files")?;
        url.query_pairs_mut().append_pair("filename", filename.as_str());
        let request = self.client.post(url).bearer_auth(&self.token).header(header::CONTENT_LENGTH, total);
        let mut answer = std::pin::pin!(request.body(Body::wrap_stream(body)).send());
        let mut done = 0;
        let response = loop {
            tokio::select! {
                response = &mut answer => break response,
                Some(chunk) = sent.recv() => {
                    done += chunk;
                    line.uploaded(done, total);
                }
            }
        };
        read(response.with_context(|| self.away())?).await
    }

    pub async fn file(&self, id: &str) -> anyhow::Result<File> {
        self.get(&format!("/v1/files/{id}")).await
    }

    /// The unread notice about a file, if it is there.
    pub async fn notice_of(&self, file_id: &str) -> anyhow::Result<Option<Notice>> {
        let mut path = "/v1/messages?limit=100".to_owned();
        for _ in 0..MAX_PAGES {
            let page: Notices = self.get(&path).await?;
            if let Some(notice) = page.items.into_iter().find(|notice| notice.file_id == file_id) {
                return Ok(Some(notice));
            }
            let Some(cursor) = page.next_cursor else { break };
            path = format!("/v1/messages?limit=100&cursor={cursor}");
        }
        Ok(None)
    }

    /// Where an output can be downloaded for a while without a token.
    pub async fn download_link(&self, id: &str, output: &str) -> anyhow::Result<String> {
        let url = self.url(&format!("/v1/files/{id}/outputs/{output}"))?;
        let response = self.client.get(url).bearer_auth(&self.token).send().await?;
        if response.status() != StatusCode::TEMPORARY_REDIRECT {
            return Err(refusal(response).await);
        }
        let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
        Ok(location.context("the answer has no Location")?.to_owned())
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let response = self.client.get(self.url(path)?).bearer_auth(&self.token).send().await;
        read(response.with_context(|| self.away())?).await
    }

    fn away(&self) -> String {
        format!("no answer from {}; is Segue up there?", self.base)
    }

    fn url(&self, path: &str) -> anyhow::Result<Url> {
        Ok(self.base.join(path)?)
    }
}

async fn read<T: DeserializeOwned>(response: Response) -> anyhow::Result<T> {
    if !response.status().is_success() {
        return Err(refusal(response).await);
    }
    Ok(response.json().await?)
}

/// The reason that a problem+json answer gives.
async fn refusal(response: Response) -> anyhow::Error {
    let status = response.status();
    match response.json::<Refusal>().await {
        Ok(problem) => anyhow::anyhow!("{} ({status})", problem.detail),
        Err(_) => anyhow::anyhow!("the service answered {status}"),
    }
}
