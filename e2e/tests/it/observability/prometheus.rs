//! A Prometheus of its own for one test.

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use reqwest::{Client, Url};
use serde_json::Value;
use testing::eventually;

use crate::binaries::Process;

const PATIENCE: Duration = Duration::from_secs(60);

/// It listens on loopback, and keeps its data in the test's directory.
pub struct Prometheus {
    _process: Process,
    client: Client,
    url: String,
}

impl Prometheus {
    /// Starts one that scrapes `target` every second, with these rules, and waits until it answers.
    pub async fn start(directory: &Path, target: &str, rules: &Path) -> Self {
        let config = directory.join("prometheus.yml");
        let rules = rules.canonicalize().expect("the file of rules");
        let target = target.trim_start_matches("http://");
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
             rule_files: ['{}']\n\
             scrape_configs: [{{job_name: segue, static_configs: [{{targets: ['{target}']}}]}}]\n",
            rules.display()
        );
        std::fs::write(&config, text).expect("its configuration is written");
        // A port that was free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.join("prometheus").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn")
            .current_dir(directory)
            .stdout(Stdio::null())
            .spawn()
            .expect("prometheus runs: install it, for instance with apt-get install prometheus");
        let this = Self {
            _process: Process(child),
            client: Client::builder().no_proxy().build().expect("a client"),
            url: format!("http://{address}"),
        };
        eventually(PATIENCE, || async {
            let ready = this.client.get(format!("{}/-/ready", this.url)).send().await.ok()?;
            ready.status().is_success().then_some(())
        })
        .await;
        this
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let url = Url::parse_with_params(&format!("{}{path}", self.url), query).expect("a URL");
        let answer: Value = self.client.get(url).send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!(answer["status"], "success", "{query:?}: {answer}");
        answer["data"].clone()
    }

    /// Whether a query gives a number, of which NaN is none: a quantile of nothing.
    pub async fn has_data(&self, query: &str) -> bool {
        let data = self.get("/api/v1/query", &[("query", query)]).await;
        let numbers = data["result"].as_array().expect("a vector").iter().map(|series| series["value"][1].clone());
        numbers.filter_map(|number| number.as_str()?.parse::<f64>().ok()).any(f64::is_finite)
    }

    /// The expressions of all rules, once each was evaluated; fails when one could not be.
    pub async fn evaluated_rules(&self) -> Vec<String> {
        let rules = eventually(PATIENCE, || async {
            let data = self.get("/api/v1/rules", &[]).await;
            let groups = data["groups"].as_array().expect("groups").clone();
            let of = |group: &Value| group["rules"].as_array().cloned().unwrap_or_default();
            let rules: Vec<Value> = groups.iter().flat_map(of).collect();
            let evaluated = !rules.is_empty() && rules.iter().all(|rule| rule["health"] != "unknown");
            evaluated.then_some(rules)
        })
        .await;
        let expression = |rule: &Value| {
            assert_eq!(rule["health"], "ok", "{rule}");
            rule["query"].as_str().expect("a query").to_owned()
        };
        rules.iter().map(expression).collect()
    }
}
