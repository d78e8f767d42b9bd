//! The timetable: what runs by cron, in the city's time, once each whatever restarts there are.

use std::{path::PathBuf, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::{Config, JobConfig, JobTask, parse_cron},
    store::{Store, StoreError},
};

/// How often the timetable is looked at.
const TICK: Duration = Duration::from_secs(15);
/// A run missed while the service was down is made up for this long.
const CATCH_UP: TimeDelta = TimeDelta::hours(1);
/// Firings looked at after a long sleep; the latest is the one that counts.
const FIRINGS_MAX: usize = 10_000;

/// Runs the configured jobs.
#[derive(Clone, Debug)]
pub struct Timetable {
    /// Where runs are noted.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The jobs, the city's time zone, the retention.
    pub config: Config,
    /// Where backups are written.
    pub backup_folder: PathBuf,
}

impl Timetable {
    /// Looks at the timetable until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut since = self.clock.now() - CATCH_UP;
        while !stop.is_cancelled() {
            let now = self.clock.now();
            match self.step(since, now).await {
                Ok(_) => since = now,
                Err(error) => tracing::error!(%error, "a job failed"),
            }
            tokio::select! {
                () = self.clock.sleep(TICK) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Runs what was due in `since..=now` and is not on record; of several missed runs of a job, the latest.
    /// Gives how many ran.
    pub async fn step(&self, since: DateTime<Utc>, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let mut ran = 0;
        for job in &self.jobs() {
            let Some(due) = latest_due(job, self.config.city.time_zone, since, now) else {
                continue;
            };
            if self.store.begin_job(&job.name, &due, now).await? {
                let outcome = self.perform(job, now).await;
                let words = match &outcome {
                    Ok(words) => words.clone(),
                    Err(error) => format!("failed: {error}"),
                };
                tracing::info!(job = job.name, due, outcome = words, "job {} ran", job.name);
                self.store
                    .end_job(&job.name, &due, self.clock.now(), &words)
                    .await?;
                ran += 1;
            }
        }
        Ok(ran)
    }

    /// The configured jobs; personal data is erased in its time also where nobody thought of configuring that.
    fn jobs(&self) -> Vec<JobConfig> {
        let mut jobs = self.config.jobs.clone();
        if jobs.iter().all(|job| job.task != JobTask::EraseOld) {
            jobs.push(JobConfig {
                name: "erase-old".into(),
                cron: "30 3 * * *".into(),
                task: JobTask::EraseOld,
            });
        }
        if jobs.iter().all(|job| job.task != JobTask::AuditHead) {
            jobs.push(JobConfig {
                name: "audit-head".into(),
                cron: "5 0 * * *".into(),
                task: JobTask::AuditHead,
            });
        }
        jobs
    }

    /// The end of the audit log, into the folder where it is kept and into the service's own log: whoever changes the
    /// database then has to change these too.
    async fn export_head(&self, now: DateTime<Utc>) -> Result<String, StoreError> {
        let Some(head) = self.store.audit_head().await? else {
            return Ok("nothing is on record yet".into());
        };
        tracing::info!(%head, "the audit log ends with {head}");
        let Some(folder) = &self.config.audit.head_folder else {
            return Ok(format!("{head} into the log; audit.head_folder is not set"));
        };
        let local = now.with_timezone(&self.config.city.time_zone);
        let file = folder.join("audit-heads.txt");
        let line = format!("{} {head}\n", local.format("%Y-%m-%d %H:%M"));
        let append = || -> std::io::Result<()> {
            std::fs::create_dir_all(folder)?;
            let mut out = std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(&file)?;
            std::io::Write::write_all(&mut out, line.as_bytes())?;
            out.sync_all()
        };
        append().map_err(|error| {
            StoreError::Refused(format!(
                "{}: {error}. Mend audit.head_folder; the head is {head}",
                file.display()
            ))
        })?;
        Ok(format!("{head} into {}", file.display()))
    }

    async fn perform(&self, job: &JobConfig, now: DateTime<Utc>) -> Result<String, StoreError> {
        match job.task {
            JobTask::EraseOld => {
                let retention = TimeDelta::from_std(self.config.privacy.retention).unwrap_or(TimeDelta::MAX);
                let erased = self.store.erase_old(now - retention).await?;
                Ok(format!("erased {erased} rows"))
            }
            JobTask::AuditHead => self.export_head(now).await,
            JobTask::Backup => {
                let local = now.with_timezone(&self.config.city.time_zone);
                let file = self
                    .backup_folder
                    .join(format!("weir-{}.backup", local.format("%Y%m%d-%H%M")));
                let rows = self.store.backup(&file, now).await?;
                Ok(format!("wrote {rows} rows to {}", file.display()))
            }
        }
    }
}

/// The latest instant in `since..=now` at which a job is due, as local date and time. Named by local time, an
/// hour that a clock change repeats makes no second run.
fn latest_due(
    job: &JobConfig,
    zone: chrono_tz::Tz,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<String> {
    let schedule = parse_cron(&job.cron).ok()?;
    let due = schedule
        .after(&since.with_timezone(&zone))
        .take(FIRINGS_MAX)
        .take_while(|at| at.to_utc() <= now)
        .last()?;
    Some(due.format("%Y-%m-%d %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(cron: &str, zone: chrono_tz::Tz, since: &str, now: &str) -> Option<String> {
        let job = JobConfig {
            name: "job".into(),
            cron: cron.into(),
            task: JobTask::EraseOld,
        };
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("an instant");
        latest_due(&job, zone, at(since), at(now))
    }

    #[test]
    fn a_job_is_due_in_the_citys_time() {
        let shanghai = chrono_tz::Asia::Shanghai;
        assert_eq!(
            due(
                "30 3 * * *",
                shanghai,
                "2026-09-01T19:00:00Z",
                "2026-09-01T20:00:00Z"
            ),
            Some("2026-09-02 03:30".into())
        );
        assert_eq!(
            due(
                "30 3 * * *",
                shanghai,
                "2026-09-01T20:00:00Z",
                "2026-09-01T21:00:00Z"
            ),
            None
        );
    }

    #[test]
    fn an_hour_that_happens_twice_gives_the_run_one_name() {
        let berlin = chrono_tz::Europe::Berlin;
        let first = due(
            "30 2 * * *",
            berlin,
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:45:00Z",
        );
        let second = due(
            "30 2 * * *",
            berlin,
            "2026-10-25T00:45:00Z",
            "2026-10-25T01:45:00Z",
        );
        assert_eq!(first, Some("2026-10-25 02:30".into()));
        assert!(second.is_none() || second == first, "{second:?}");
    }
}
