//! Those who make visits at home.

use chrono::{DateTime, NaiveTime, Timelike, Utc};

use super::{Result, Store, StoreError, in_transaction, on_pool, take_ids};
use crate::domain::{Team, TeamId};

pub(super) const MEMBERS: &str = "teams.members";

const SAVE_TEAM: &str = "insert into teams (id, name, areas, opens_minute, closes_minute, breaks, visits_per_hour, \
      members, removed, changed_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
    on conflict (id) do update set areas = $3, opens_minute = $4, closes_minute = $5, breaks = $6, \
      visits_per_hour = $7, members = $8, removed = $9, changed_at = $10";

struct WrittenTeam {
    areas: String,
    opens: i64,
    closes: i64,
    breaks: String,
    members: String,
}

#[derive(sqlx::FromRow)]
struct TeamRow {
    id: i64,
    name: String,
    areas: String,
    opens_minute: i64,
    closes_minute: i64,
    breaks: String,
    visits_per_hour: i64,
    members: String,
    removed: i64,
}

impl Store {
    /// Adds a team, or brings back one that was removed; none where another has this name.
    pub async fn add_team(&self, team: &Team, now: DateTime<Utc>) -> Result<Option<TeamId>> {
        Ok(in_transaction!(self, |tx| {
            let known: Option<(i64, i64)> = sqlx::query_as("select id, removed from teams where name = $1")
                .bind(&team.name)
                .fetch_optional(&mut *tx)
                .await?;
            let id = match known {
                Some((_, 0)) => None,
                Some((id, _)) => Some(id),
                None => Some(take_ids!(tx, "teams", 1)),
            };
            if let Some(id) = id {
                let written = self.team_row(id, team);
                sqlx::query(SAVE_TEAM)
                    .bind(id)
                    .bind(&team.name)
                    .bind(written.areas)
                    .bind(written.opens)
                    .bind(written.closes)
                    .bind(written.breaks)
                    .bind(i64::from(team.visits_per_hour))
                    .bind(written.members)
                    .bind(i64::from(team.removed))
                    .bind(now.timestamp_millis())
                    .execute(&mut *tx)
                    .await?;
            }
            id.map(TeamId)
        }))
    }

    /// Changes a team, but for its name; `removed` takes it out of service. False where there is none.
    pub async fn change_team(&self, team: &Team, now: DateTime<Utc>) -> Result<bool> {
        let Some(known) = self.team(team.id).await? else {
            return Ok(false);
        };
        in_transaction!(self, |tx| {
            let written = self.team_row(team.id.0, team);
            sqlx::query(SAVE_TEAM)
                .bind(team.id.0)
                .bind(&known.name)
                .bind(written.areas)
                .bind(written.opens)
                .bind(written.closes)
                .bind(written.breaks)
                .bind(i64::from(team.visits_per_hour))
                .bind(written.members)
                .bind(i64::from(team.removed))
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await?;
        });
        Ok(true)
    }

    /// Every team in service, by name.
    pub async fn teams(&self) -> Result<Vec<Team>> {
        let mut teams = self.team_list(0).await?;
        teams.retain(|team| !team.removed);
        Ok(teams)
    }

    /// One team, also one that was removed.
    pub async fn team(&self, id: TeamId) -> Result<Option<Team>> {
        if id.0 == 0 {
            return Ok(None);
        }
        Ok(self.team_list(id.0).await?.pop())
    }

    async fn team_list(&self, id: i64) -> Result<Vec<Team>> {
        let rows: Vec<TeamRow> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select id, name, areas, opens_minute, closes_minute, breaks, visits_per_hour, members, removed \
                 from teams where $1 = 0 or id = $1 order by name, id",
            )
            .bind(id)
            .fetch_all(pool)
            .await?
        });
        rows.into_iter().map(|row| self.opened_team(row)).collect()
    }

    fn team_row(&self, id: i64, team: &Team) -> WrittenTeam {
        let members = serde_json::to_vec(&team.members).expect("plain words always serialise");
        let breaks: Vec<String> = team
            .breaks
            .iter()
            .map(|(from, to)| format!("{}-{}", from.format("%H:%M"), to.format("%H:%M")))
            .collect();
        WrittenTeam {
            areas: team.areas.join(";"),
            opens: minute(team.opens),
            closes: minute(team.closes),
            breaks: breaks.join(";"),
            members: self.keys.seal(MEMBERS, id, &members),
        }
    }

    fn opened_team(&self, row: TeamRow) -> Result<Team> {
        let time = |minute: i64| {
            NaiveTime::from_num_seconds_from_midnight_opt(minute as u32 * 60, 0).unwrap_or_default()
        };
        Ok(Team {
            id: TeamId(row.id),
            name: row.name,
            areas: row
                .areas
                .split(';')
                .filter(|area| !area.is_empty())
                .map(str::to_owned)
                .collect(),
            opens: time(row.opens_minute),
            closes: time(row.closes_minute),
            breaks: row
                .breaks
                .split(';')
                .filter_map(|span| {
                    let (from, to) = span.split_once('-')?;
                    let time = |text| NaiveTime::parse_from_str(text, "%H:%M").ok();
                    time(from).zip(time(to))
                })
                .collect(),
            visits_per_hour: row.visits_per_hour as u32,
            members: serde_json::from_slice(&self.keys.open(MEMBERS, row.id, &row.members)?)
                .map_err(|_| StoreError::Corrupt(MEMBERS.into()))?,
            removed: row.removed == 1,
        })
    }
}

fn minute(time: NaiveTime) -> i64 {
    i64::from(time.num_seconds_from_midnight() / 60)
}
