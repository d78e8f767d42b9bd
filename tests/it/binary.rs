//! The built binary as an operator runs it, in a folder of its own.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::process::{Child, Command};
use weir::clock::Clock;

use crate::app::{TOKEN, TestApp, eventually};

/// A command of `weir`, with nothing of this process's settings.
pub fn weir(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WEIR_") {
            command.env_remove(name);
        }
    }
    command
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs a command to its end.
pub async fn run(folder: &Path, args: &[&str]) -> Output {
    weir(folder, args).output().await.expect("the binary starts")
}

pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The one JSON object that a command answers with.
pub async fn json(folder: &Path, args: &[&str]) -> Value {
    let output = run(folder, &[args, &["--json"]].concat()).await;
    assert!(output.status.success(), "{args:?}: {}", err(&output));
    let text = out(&output);
    assert_eq!(
        text.trim_end().lines().count(),
        1,
        "one line on standard output: {text}"
    );
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert!(value.is_object(), "{text}");
    value
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("its address").port()
}

/// Writes the settings of a test's world as weir.toml, and gives its folder.
pub fn write_config(app: &TestApp) -> PathBuf {
    let folder = app.test.folder.path().to_path_buf();
    let carrier = &app.config.sms.smpp[0];
    let text = format!(
        "[store]\nurl = {:?}\n[security]\ndata_key_file = {:?}\n\
         [telegram]\ntoken = \"{TOKEN}\"\napi_url = {:?}\nmessages_per_second = {}\nmessages_per_second_per_chat = {}\n\
         [[sms.smpp]]\nname = \"carrier\"\nport = {}\nsystem_id = \"weir\"\nsource = \"10690001\"\nparts_per_second = {}\n",
        app.test.url,
        app.test.key_file().display().to_string(),
        app.bot_api.url(),
        app.config.telegram.messages_per_second,
        app.config.telegram.messages_per_second_per_chat,
        carrier.port,
        carrier.parts_per_second,
    );
    app.write("weir.toml", &text);
    folder
}

/// A running `weir serve`.
pub struct Serving {
    pub child: Child,
    pub port: u16,
    pub log: PathBuf,
}

impl Serving {
    /// Starts it on the folder's weir.toml; its log goes on in `serve.log`.
    pub fn start(folder: &Path, args: &[&str]) -> Self {
        let port = free_port();
        let log = folder.join("serve.log");
        let file = std::fs::OpenOptions::new().append(true).create(true).open(&log);
        let child = weir(folder, &[args, &["serve"]].concat())
            .env("WEIR_HTTP__LISTEN", format!("127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(file.expect("a log"))
            .spawn();
        Self {
            child: child.expect("the binary starts"),
            port,
            log,
        }
    }

    /// Asks its HTTP listener.
    pub async fn get(&self, path: &str) -> Option<(u16, String)> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .build();
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let answer = client.expect("a client").get(url).send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.text().await.ok()?))
    }

    /// Waits until it is in a state: `active`, `standby` or `starting`.
    pub async fn in_state(&self, state: &str) {
        eventually(&format!("the service is {state}"), async || {
            let (_, body) = self.get("/readyz").await?;
            body.contains(&format!("\"state\":\"{state}\"")).then_some(())
        })
        .await;
    }

    /// SIGKILL: no time for anything. The lease that it leaves is given back for it, to save the wait.
    pub async fn kill(mut self, app: &TestApp) {
        self.child.kill().await.expect("it can be killed");
        let now = Clock::System.now();
        if let Some(owner) = app.store().lease_owner("service", now).await.expect("reads") {
            app.store()
                .release_lease("service", &owner)
                .await
                .expect("writes");
        }
    }

    /// SIGTERM; gives the exit code and how long it took.
    pub async fn terminate(mut self) -> (Option<i32>, Duration) {
        let id = self.child.id().expect("it runs").to_string();
        let started = Instant::now();
        let sent = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(sent.expect("kill is there").success());
        let status = self.child.wait().await.expect("it ends");
        (status.code(), started.elapsed())
    }
}
