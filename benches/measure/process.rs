//! Cases in processes of their own, and what the system says of a process.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{city, import, outbox, release, stores::Place};

/// A service that is not ready after this will not be.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a process of its own does.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// Imports the roster of a city into a store.
    Import {
        place: Place,
        roster: std::path::PathBuf,
        sites: std::path::PathBuf,
    },
    /// Fills an outbox and drains it.
    Outbox(outbox::Drain),
    /// Is a carrier and a Bot API until its standard input ends.
    Simulators,
    /// Plans a round and lets it go.
    Plan { place: Place },
    /// Is the service until its standard input ends.
    Serve {
        place: Place,
        smsc: SocketAddr,
        http: SocketAddr,
    },
}

/// Runs a case here and prints what it answers.
#[expect(
    clippy::print_stdout,
    reason = "the answer to the process that started this one"
)]
pub fn run(case: &str) -> Result<()> {
    let case: Case = serde_json::from_str(case).context("this command is for the benchmark itself")?;
    let answer = runtime()?.block_on(async {
        match case {
            Case::Import { place, roster, sites } => {
                import::run(&place, &city::Files { roster, sites }).await
            }
            Case::Outbox(drain) => outbox::run(&drain).await,
            Case::Simulators => outbox::simulate().await,
            Case::Plan { place } => release::plan(&place).await,
            Case::Serve { place, smsc, http } => release::serve(&place, smsc, http).await,
        }
    })?;
    println!("{answer}");
    Ok(())
}

/// The service's own kind of runtime.
pub fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

fn command(case: &Case) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("case")
        .arg(serde_json::to_string(case)?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    Ok(command)
}

/// Runs a case in a process of its own and gives its answer.
pub fn answer(case: &Case) -> Result<Value> {
    let output = command(case)?.spawn()?.wait_with_output()?;
    ensure!(output.status.success(), "a case failed: see above");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A process that works until this is dropped.
pub struct Helper(Child);

impl Helper {
    /// Starts a case that goes on.
    pub fn start(case: &Case) -> Result<Self> {
        Ok(Self(command(case)?.spawn()?))
    }

    /// The first line that it prints.
    pub fn first_line(&mut self) -> Result<String> {
        let out = self.0.stdout.as_mut().context("its output is piped")?;
        let mut line = Vec::new();
        let mut byte = [0];
        while out.read(&mut byte)? == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        Ok(String::from_utf8(line)?)
    }

    /// Its memory now and at its peak, in MB.
    pub fn memory(&self) -> Memory {
        Memory::of(&self.0.id().to_string())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Its standard input ends, and with it its work; one that does not obey is ended.
        drop(self.0.stdin.take());
        let asked = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) {
            if asked.elapsed() > PATIENCE {
                let _ = self.0.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A process's resident memory in MB (10^6 bytes); 0 where the system has no /proc.
#[derive(Clone, Copy, Default)]
pub struct Memory {
    pub now: f64,
    pub peak: f64,
}

impl Memory {
    /// This process's.
    pub fn own() -> Self {
        Self::of("self")
    }

    fn of(process: &str) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let megabytes = |name: &str| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or_default();
            let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
            kibibytes * 1.024 / 1000.0
        };
        Self {
            now: megabytes("VmRSS:"),
            peak: megabytes("VmHWM:"),
        }
    }
}

/// Seconds of processor time that this process has used; 0 where the system has no /proc.
pub fn processor_seconds() -> f64 {
    // proc(5): fields 14 and 15, in ticks of 10 ms on every Linux; the second field may hold blanks.
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}

/// A port that nobody listens on.
pub fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// Waits until the service at this address says that it is ready.
pub fn until_ready(http: SocketAddr) -> Result<()> {
    let started = Instant::now();
    while !is_ready(http) {
        ensure!(started.elapsed() < PATIENCE, "the service does not become ready");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn is_ready(http: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(http)?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: weir\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

/// Waits until standard input ends: until whoever started this process is done with it.
pub async fn until_stdin_ends() {
    let mut input = tokio::io::stdin();
    let mut rest = Vec::new();
    // An input that cannot be read has ended too.
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut input, &mut rest).await;
}
