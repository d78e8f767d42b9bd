//! Rules about passes, and approved texts in other words: what holds, since when, until when, and by whom.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Result, Store, StoreError, in_transaction, on_pool, service::instant, take_ids};
use crate::domain::{Language, Policy};

/// A policy with its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyRow {
    /// The rule.
    #[serde(flatten)]
    pub policy: Policy,
    /// Who put it in.
    pub added_by: String,
    /// When.
    pub added_at: DateTime<Utc>,
    /// Who set its end, if somebody did.
    pub ended_by: Option<String>,
    /// When they did.
    pub ended_at: Option<DateTime<Utc>>,
}

/// An approved text in other words, until a date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetText {
    /// Its id; 0 before it is stored.
    pub id: i64,
    /// Which text.
    pub key: String,
    /// In which language.
    pub language: Language,
    /// The short form, for text messages.
    pub short: bool,
    /// What it says, with `{placeholders}`.
    pub words: String,
    /// Who set it.
    pub set_by: String,
    /// When.
    pub set_at: DateTime<Utc>,
    /// From this instant the built-in words hold again.
    pub until: DateTime<Utc>,
    /// Who ended it earlier, if somebody did.
    pub ended_by: Option<String>,
    /// When they did.
    pub ended_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    purposes: String,
    hours: i64,
    counted_from: Option<String>,
    needs: String,
    from_at: i64,
    to_at: Option<i64>,
    source: String,
    added_by: String,
    added_at: i64,
    ended_by: String,
    ended_at: Option<i64>,
}

impl Row {
    fn into_policy(self) -> Result<PolicyRow> {
        let corrupt = |fault: String| StoreError::Corrupt(format!("policies: {fault}"));
        Ok(PolicyRow {
            policy: Policy {
                purposes: list(&self.purposes).map_err(corrupt)?,
                hours: u32::try_from(self.hours).map_err(|_| corrupt("hours".into()))?,
                counted_from: self
                    .counted_from
                    .map(|word| word.parse())
                    .transpose()
                    .map_err(corrupt)?,
                needs: list(&self.needs).map_err(corrupt)?,
                from: instant(self.from_at),
                to: self.to_at.map(instant),
                source: self.source,
                id: self.id,
            },
            added_by: self.added_by,
            added_at: instant(self.added_at),
            ended_by: Some(self.ended_by).filter(|who| !who.is_empty()),
            ended_at: self.ended_at.map(instant),
        })
    }
}

fn list<T: std::str::FromStr<Err = String>>(text: &str) -> Result<Vec<T>, String> {
    text.split(';')
        .filter(|word| !word.is_empty())
        .map(str::parse)
        .collect()
}

#[derive(sqlx::FromRow)]
struct TextRow {
    id: i64,
    key: String,
    language: String,
    short: i64,
    words: String,
    set_by: String,
    set_at: i64,
    until_at: i64,
    ended_by: String,
    ended_at: Option<i64>,
}

impl Store {
    /// Every policy on record, the one that came into force last first.
    pub async fn policies(&self) -> Result<Vec<PolicyRow>> {
        let rows: Vec<Row> = on_pool!(self, |pool| {
            sqlx::query_as("select * from policies order by from_at desc, id")
                .fetch_all(pool)
                .await?
        });
        rows.into_iter().map(Row::into_policy).collect()
    }

    /// Puts a policy on record; false when its id is taken.
    pub async fn add_policy(&self, policy: &Policy, by: &str, now: DateTime<Utc>) -> Result<bool> {
        let purposes: Vec<_> = policy.purposes.iter().map(|one| one.as_str()).collect();
        let needs: Vec<_> = policy.needs.iter().map(|one| one.as_str()).collect();
        let rows = in_transaction!(self, |tx| {
            sqlx::query(
                "insert into policies (id, purposes, hours, counted_from, needs, from_at, to_at, source, \
                   added_by, added_at) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (id) do nothing",
            )
            .bind(&policy.id)
            .bind(purposes.join(";"))
            .bind(i64::from(policy.hours))
            .bind(policy.counted_from.map(crate::domain::CountedFrom::as_str))
            .bind(needs.join(";"))
            .bind(policy.from.timestamp_millis())
            .bind(policy.to.map(|at| at.timestamp_millis()))
            .bind(&policy.source)
            .bind(by)
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Sets the end of a policy that has none, or a later one; false when there is no such policy.
    pub async fn end_policy(
        &self,
        id: &str,
        to: DateTime<Utc>,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let rows = in_transaction!(self, |tx| {
            sqlx::query(
                "update policies set to_at = $2, ended_by = $3, ended_at = $4 \
                 where id = $1 and (to_at is null or to_at > $2)",
            )
            .bind(id)
            .bind(to.timestamp_millis())
            .bind(by)
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Says a text in other words until an instant. What was set of the same text before ends with it.
    pub async fn set_text(&self, text: &SetText) -> Result<i64> {
        Ok(in_transaction!(self, |tx| {
            sqlx::query(
                "update set_texts set ended_by = $4, ended_at = $5 \
                 where key = $1 and language = $2 and short = $3 and ended_at is null and until_at > $5",
            )
            .bind(&text.key)
            .bind(text.language.code())
            .bind(i64::from(text.short))
            .bind(&text.set_by)
            .bind(text.set_at.timestamp_millis())
            .execute(&mut *tx)
            .await?;
            let id = take_ids!(tx, "set_texts", 1);
            sqlx::query(
                "insert into set_texts (id, key, language, short, words, set_by, set_at, until_at) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(id)
            .bind(&text.key)
            .bind(text.language.code())
            .bind(i64::from(text.short))
            .bind(&text.words)
            .bind(&text.set_by)
            .bind(text.set_at.timestamp_millis())
            .bind(text.until.timestamp_millis())
            .execute(&mut *tx)
            .await?;
            id
        }))
    }

    /// Ends what was set of a text, in every language and form or in one language; gives how many ended.
    pub async fn end_text(
        &self,
        key: &str,
        language: Option<Language>,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<u64> {
        Ok(in_transaction!(self, |tx| {
            sqlx::query(
                "update set_texts set ended_by = $3, ended_at = $4 \
                 where key = $1 and ($2 = '' or language = $2) and ended_at is null and until_at > $4",
            )
            .bind(key)
            .bind(language.map_or("", Language::code))
            .bind(by)
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
        }))
    }

    /// What was ever set, the latest first; `holding_at`: what holds at that instant alone.
    pub async fn set_texts(&self, holding_at: Option<DateTime<Utc>>) -> Result<Vec<SetText>> {
        let rows: Vec<TextRow> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select * from set_texts where $1 = 0 or (ended_at is null and until_at > $1 and set_at <= $1) \
                 order by id desc",
            )
            .bind(holding_at.map_or(0, |at| at.timestamp_millis()))
            .fetch_all(pool)
            .await?
        });
        rows.into_iter()
            .map(|row| {
                Ok(SetText {
                    id: row.id,
                    language: row
                        .language
                        .parse()
                        .map_err(|_| StoreError::Corrupt("set_texts.language".into()))?,
                    key: row.key,
                    short: row.short == 1,
                    words: row.words,
                    set_by: row.set_by,
                    set_at: instant(row.set_at),
                    until: instant(row.until_at),
                    ended_by: Some(row.ended_by).filter(|who| !who.is_empty()),
                    ended_at: row.ended_at.map(instant),
                })
            })
            .collect()
    }
}
