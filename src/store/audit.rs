//! Who did what: rows that are only ever added, each bound to the one before it, so that none can be changed, taken out
//! or cut off unseen.
//!
//! Each row's mac is an HMAC-SHA-256, with a key of the chain's own, over the mac before it and the row. A sealed key
//! outlives rotations of the data key, so that an end that was printed months ago still proves what came before it.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Serialize, Serializer};
use sha2::Sha256;

use super::{Result, Store, in_transaction, on_pool, service::instant};
use crate::domain::{Actor, Right};

pub(super) const AUDIT_KEY: &str = "audit_chain.key";
/// The one row of `audit_chain`.
pub(super) const CHAIN: i64 = 1;
const KEY_LEN: usize = 32;
/// Rows read at once where all of them are looked through.
const PAGE: i64 = 2_000;
/// What follows an end that somebody changed is bound to this, so that it stays seen.
const BROKEN: &str = "broken";

/// Something that somebody did, or was not let do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAudit {
    /// Who.
    pub actor: Actor,
    /// What, as `round.release`.
    pub what: String,
    /// To whom or what, by ids: `round:3`. Never a name.
    pub whom: String,
    /// What else is to be known of it, without personal data.
    pub details: String,
}

impl NewAudit {
    /// Somebody did something.
    pub fn new(actor: Actor, what: impl Into<String>, whom: impl Into<String>) -> Self {
        Self {
            actor,
            what: what.into(),
            whom: whom.into(),
            details: String::new(),
        }
    }

    /// The same with what else is to be known of it.
    #[must_use]
    pub fn with(self, details: impl Into<String>) -> Self {
        Self {
            details: details.into(),
            ..self
        }
    }

    /// Somebody was not let do something.
    pub fn refused(actor: Actor, right: Right, whom: impl Into<String>) -> Self {
        Self::new(actor, format!("refused.{}", right.as_str()), whom)
    }
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// Its number: 1, 2, 3 without a gap.
    pub line: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who, as [`Actor`] prints.
    pub actor: String,
    /// What.
    pub what: String,
    /// To whom or what.
    pub whom: String,
    /// What else is to be known of it.
    pub details: String,
    /// What binds it to the line before it.
    #[serde(skip)]
    mac: String,
}

/// Which lines to read.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Not older.
    pub since: Option<DateTime<Utc>>,
    /// Of this one.
    pub who: Option<Actor>,
    /// Whose `what` begins so; empty for all.
    pub what: String,
}

/// The end of the log at some time: `LINE-MAC`. Kept elsewhere, it proves that nothing before it was changed or cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// The last line.
    pub line: i64,
    mac: String,
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.line, self.mac)
    }
}

impl Serialize for AuditHead {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for AuditHead {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.trim().split_once('-').and_then(|(line, mac)| {
            let line = line.parse().ok().filter(|line| *line > 0)?;
            (mac.len() == 43).then(|| Self {
                line,
                mac: mac.to_owned(),
            })
        });
        parsed.ok_or_else(|| "write a head as it was printed: a number, a hyphen and 43 characters".into())
    }
}

/// What looking through the whole log found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditVerdict {
    /// Lines looked at.
    pub lines: i64,
    /// The end; none of an empty log.
    pub head: Option<AuditHead>,
    /// The first line that is not as it was written.
    pub fault: Option<AuditFault>,
}

/// Where the log is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditFault {
    /// The first such line.
    pub line: i64,
    /// What is wrong.
    pub reason: String,
}

/// The chain as it is stored: sealed key, last line, its mac, and the seal over both.
pub(super) type StoredChain = (String, i64, String, String);

/// What one more row adds.
pub(super) struct Link {
    /// The sealed key.
    pub key: String,
    pub mac: String,
    pub seal: String,
}

type ChainKey = Hmac<Sha256>;

/// A mac over these fields. Lengths go in too, so that no text can pass over into the next.
fn mac(key: &ChainKey, fields: &[&[u8]]) -> String {
    let mut mac = key.clone();
    for field in fields {
        mac.update(&(field.len() as u64).to_be_bytes());
        mac.update(field);
    }
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

fn row_mac(key: &ChainKey, before: &str, line: i64, at: i64, new: [&str; 4]) -> String {
    let [actor, what, whom, details] = new.map(str::as_bytes);
    let (line, at) = (line.to_be_bytes(), at.to_be_bytes());
    mac(
        key,
        &[b"row", before.as_bytes(), &line, &at, actor, what, whom, details],
    )
}

fn seal_of(key: &ChainKey, line: i64, last: &str) -> String {
    mac(key, &[b"end", &line.to_be_bytes(), last.as_bytes()])
}

/// Adds a line within a transaction; gives its number. Taking the id first makes writers wait for each other.
macro_rules! append_audit {
    ($store:expr, $tx:ident, $new:expr, $now:expr) => {{
        let (new, now): (&$crate::store::NewAudit, _) = ($new, $now);
        let line = $crate::store::take_ids!($tx, "audit", 1);
        let chain: Option<$crate::store::audit::StoredChain> =
            sqlx::query_as("select key, last_id, last_mac, seal from audit_chain where id = 1")
                .fetch_optional(&mut *$tx)
                .await?;
        let link = $store.link(chain, line, new, now)?;
        sqlx::query(
            "insert into audit (id, at, actor, what, whom, details, mac) values ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(line)
        .bind(now.timestamp_millis())
        .bind(new.actor.to_string())
        .bind(&new.what)
        .bind(&new.whom)
        .bind(&new.details)
        .bind(&link.mac)
        .execute(&mut *$tx)
        .await?;
        sqlx::query(
            "insert into audit_chain (id, key, last_id, last_mac, seal) values (1, $1, $2, $3, $4) \
             on conflict (id) do update set last_id = $2, last_mac = $3, seal = $4",
        )
        .bind(&link.key)
        .bind(line)
        .bind(&link.mac)
        .bind(&link.seal)
        .execute(&mut *$tx)
        .await?;
        line
    }};
}

pub(crate) use append_audit;

impl Store {
    fn chain_key(&self, sealed: &str) -> Result<ChainKey> {
        let key = self.keys.open(AUDIT_KEY, CHAIN, sealed)?;
        Ok(ChainKey::new_from_slice(&key).expect("HMAC takes any length"))
    }

    /// What binds a new line to the end of the chain. The first line makes the chain's key.
    pub(super) fn link(
        &self,
        chain: Option<StoredChain>,
        line: i64,
        new: &NewAudit,
        now: DateTime<Utc>,
    ) -> Result<Link> {
        let (sealed, before) = match chain {
            Some((sealed, last, last_mac, seal)) => {
                let key = self.chain_key(&sealed)?;
                let whole = seal == seal_of(&key, last, &last_mac) && last + 1 == line;
                let before = if whole { last_mac } else { BROKEN.to_owned() };
                (sealed, before)
            }
            None => {
                let mut key = zeroize::Zeroizing::new([0u8; KEY_LEN]);
                rand::fill(&mut key[..]);
                (self.keys.seal(AUDIT_KEY, CHAIN, key.as_slice()), String::new())
            }
        };
        let key = self.chain_key(&sealed)?;
        let actor = new.actor.to_string();
        let fields = [actor.as_str(), &new.what, &new.whom, &new.details];
        let mac = row_mac(&key, &before, line, now.timestamp_millis(), fields);
        let seal = seal_of(&key, line, &mac);
        Ok(Link {
            key: sealed,
            mac,
            seal,
        })
    }

    /// Puts something on record; gives the line's number. Do it before the act, so that nothing is done unrecorded.
    pub async fn audit(&self, new: &NewAudit, now: DateTime<Utc>) -> Result<i64> {
        Ok(in_transaction!(self, |tx| { append_audit!(self, tx, new, now) }))
    }

    /// The newest lines that the filter lets through, the newest first, before the line `before` where one is given.
    pub async fn audit_rows(
        &self,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<AuditRow>> {
        let who = filter.who.map(|who| who.to_string()).unwrap_or_default();
        let rows: Vec<Row> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select id, at, actor, what, whom, details, mac from audit where at >= $1 \
                   and ($2 = '' or actor = $2) and ($3 = '' or substr(what, 1, length($3)) = $3) and id < $4 \
                 order by id desc limit $5",
            )
            .bind(filter.since.map_or(i64::MIN, |since| since.timestamp_millis()))
            .bind(who)
            .bind(&filter.what)
            .bind(before.unwrap_or(i64::MAX))
            .bind(limit as i64)
            .fetch_all(pool)
            .await?
        });
        Ok(rows.into_iter().map(audit_row).collect())
    }

    /// The end of the log; none while it is empty.
    pub async fn audit_head(&self) -> Result<Option<AuditHead>> {
        let row: Option<(i64, String)> = on_pool!(self, |pool| {
            sqlx::query_as("select last_id, last_mac from audit_chain where id = 1")
                .fetch_optional(pool)
                .await?
        });
        Ok(row.map(|(line, mac)| AuditHead { line, mac }))
    }

    /// Looks through the whole log, and whether it still holds `head`, an end that was kept elsewhere.
    pub async fn verify_audit(&self, head: Option<&AuditHead>) -> Result<AuditVerdict> {
        let chain: Option<StoredChain> = on_pool!(self, |pool| {
            sqlx::query_as("select key, last_id, last_mac, seal from audit_chain where id = 1")
                .fetch_optional(pool)
                .await?
        });
        let Some((sealed, last, last_mac, seal)) = chain else {
            return self.verify_without_chain(head).await;
        };
        // Lines may be added meanwhile: what follows the end that was read is looked at another time.
        let key = self.chain_key(&sealed)?;
        let mut before = String::new();
        let mut line = 0;
        let verdict = |lines: i64, fault: Option<AuditFault>| AuditVerdict {
            lines,
            head: (last > 0).then(|| AuditHead {
                line: last,
                mac: last_mac.clone(),
            }),
            fault,
        };
        loop {
            let rows: Vec<Row> = on_pool!(self, |pool| {
                sqlx::query_as(
                    "select id, at, actor, what, whom, details, mac from audit \
                     where id > $1 and id <= $2 order by id limit $3",
                )
                .bind(line)
                .bind(last)
                .bind(PAGE)
                .fetch_all(pool)
                .await?
            });
            if rows.is_empty() {
                break;
            }
            for row in rows.into_iter().map(audit_row) {
                if let Some(reason) = row_fault(&key, &row, line, &before, head) {
                    let line = line + 1;
                    return Ok(verdict(line - 1, Some(AuditFault { line, reason })));
                }
                line = row.line;
                before = row.mac;
            }
        }
        let fault = end_fault(&key, (line, &before), (last, &last_mac, &seal), head);
        let fault = fault.map(|reason| AuditFault {
            line: line + 1,
            reason,
        });
        Ok(verdict(line, fault))
    }

    async fn verify_without_chain(&self, head: Option<&AuditHead>) -> Result<AuditVerdict> {
        let (lines,): (i64,) = on_pool!(self, |pool| {
            sqlx::query_as("select count(*) from audit")
                .fetch_one(pool)
                .await?
        });
        let fault = (lines > 0 || head.is_some()).then(|| AuditFault {
            line: 1,
            reason: "the end of the log is gone, and its key with it".into(),
        });
        Ok(AuditVerdict {
            lines: 0,
            head: None,
            fault,
        })
    }
}

type Row = (i64, i64, String, String, String, String, String);

fn audit_row((line, at, actor, what, whom, details, mac): Row) -> AuditRow {
    AuditRow {
        line,
        at: instant(at),
        actor,
        what,
        whom,
        details,
        mac,
    }
}

/// What is wrong with a row that follows line `line`.
fn row_fault(
    key: &ChainKey,
    row: &AuditRow,
    line: i64,
    before: &str,
    head: Option<&AuditHead>,
) -> Option<String> {
    if row.line != line + 1 {
        return Some(format!("it is gone; the next one there is line {}", row.line));
    }
    let fields = [row.actor.as_str(), &row.what, &row.whom, &row.details];
    if row.mac != row_mac(key, before, row.line, row.at.timestamp_millis(), fields) {
        return Some("it is not as it was written, or not in its place".into());
    }
    match head {
        Some(head) if head.line == row.line && head.mac != row.mac => {
            Some("it is another line than the one that the head was printed for".into())
        }
        _ => None,
    }
}

/// What is wrong after the last row.
fn end_fault(
    key: &ChainKey,
    (line, before): (i64, &str),
    (last, last_mac, seal): (i64, &str, &str),
    head: Option<&AuditHead>,
) -> Option<String> {
    if line < last {
        return Some(format!("it is gone: the log was cut off, it had {last} lines"));
    }
    if seal != seal_of(key, last, last_mac) || before != last_mac {
        return Some("the end of the log was changed: lines may have been cut off here".into());
    }
    let head = head.filter(|head| head.line > line)?;
    Some(format!(
        "it is gone: the log was cut off, the head was printed when it had {} lines",
        head.line
    ))
}
