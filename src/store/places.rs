//! Communities, buildings, units and sites: public data.

use chrono::{NaiveTime, Timelike};

use super::{Result, Store, in_transaction, json, on_pool, take_ids};
use crate::domain::{Coordinates, Site, SiteId, UnitId, UnitPlace};

/// One unit of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitRow {
    /// Its id.
    pub unit: UnitId,
    /// Its full path.
    pub place: UnitPlace,
    /// The code of its link and QR code.
    pub code: String,
}

/// Where a building lies.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildingPoint {
    /// District.
    pub district: String,
    /// Street.
    pub street: String,
    /// Community.
    pub community: String,
    /// Building.
    pub building: String,
    /// Its place on the map.
    pub coordinates: Coordinates,
}

#[derive(sqlx::FromRow)]
struct SiteRow {
    id: i64,
    name: String,
    district: String,
    street: String,
    community: String,
    address: String,
    desks: i64,
    green_desks: i64,
    samples_per_desk_hour: i64,
    opens_minute: i64,
    closes_minute: i64,
    breaks: String,
    serves: String,
    lat: Option<f64>,
    lon: Option<f64>,
}

impl SiteRow {
    fn into_site(self) -> Site {
        let time = |minute: i64| {
            NaiveTime::from_num_seconds_from_midnight_opt(minute as u32 * 60, 0).unwrap_or_default()
        };
        Site {
            id: SiteId(self.id),
            name: self.name,
            district: self.district,
            street: self.street,
            community: self.community,
            address: self.address,
            desks: self.desks as u32,
            green_desks: self.green_desks as u32,
            samples_per_desk_hour: self.samples_per_desk_hour as u32,
            opens: time(self.opens_minute),
            closes: time(self.closes_minute),
            breaks: self
                .breaks
                .split(';')
                .filter_map(|span| {
                    let (from, to) = span.split_once('-')?;
                    let time = |text| NaiveTime::parse_from_str(text, "%H:%M").ok();
                    time(from).zip(time(to))
                })
                .collect(),
            serves: self
                .serves
                .split(';')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            coordinates: self.lat.zip(self.lon).map(|(lat, lon)| Coordinates { lat, lon }),
        }
    }
}

impl Store {
    /// Every unit, in no particular order.
    pub async fn units(&self) -> Result<Vec<UnitRow>> {
        let rows: Vec<(i64, String, String, String, String, String, String)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select u.id, c.district, c.street, c.name, b.name, u.name, u.code \
                 from units u join buildings b on b.id = u.building_id join communities c on c.id = b.community_id",
            )
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .map(
                |(id, district, street, community, building, unit, code)| UnitRow {
                    unit: UnitId(id),
                    place: UnitPlace {
                        district,
                        street,
                        community,
                        building,
                        unit,
                    },
                    code,
                },
            )
            .collect())
    }

    /// Changes whenever a unit is added.
    pub async fn places_version(&self) -> Result<String> {
        let (next,): (i64,) = on_pool!(self, |pool| {
            sqlx::query_as("select next from ids where name = 'units'")
                .fetch_one(pool)
                .await?
        });
        Ok(next.to_string())
    }

    /// Adds sites and updates those known by name. Gives how many were added and how many changed.
    pub async fn save_sites(&self, sites: &[Site]) -> Result<(u64, u64)> {
        let known = self.sites().await?;
        let by_name = |name: &str| known.iter().find(|site| site.name == name);
        let mut added = 0;
        let mut changed = 0;
        let mut rows = Vec::new();
        for site in sites {
            match by_name(&site.name) {
                None => added += 1,
                Some(old)
                    if *old
                        == (Site {
                            id: old.id,
                            ..site.clone()
                        }) =>
                {
                    continue;
                }
                Some(_) => changed += 1,
            }
            rows.push(site);
        }
        in_transaction!(self, |tx| {
            for site in rows {
                let fresh = if by_name(&site.name).is_none() {
                    take_ids!(tx, "sites", 1)
                } else {
                    0
                };
                sqlx::query(
                    "insert into sites (id, name, district, street, community, address, desks, green_desks, \
                       samples_per_desk_hour, opens_minute, closes_minute, lat, lon, breaks, serves) \
                     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
                     on conflict (name) do update set district = $3, street = $4, community = $5, address = $6, \
                       desks = $7, green_desks = $8, samples_per_desk_hour = $9, opens_minute = $10, \
                       closes_minute = $11, lat = $12, lon = $13, breaks = $14, serves = $15",
                )
                .bind(fresh)
                .bind(&site.name)
                .bind(&site.district)
                .bind(&site.street)
                .bind(&site.community)
                .bind(&site.address)
                .bind(i64::from(site.desks))
                .bind(i64::from(site.green_desks))
                .bind(i64::from(site.samples_per_desk_hour))
                .bind(i64::from(site.opens.num_seconds_from_midnight() / 60))
                .bind(i64::from(site.closes.num_seconds_from_midnight() / 60))
                .bind(site.coordinates.map(|at| at.lat))
                .bind(site.coordinates.map(|at| at.lon))
                .bind(breaks(site))
                .bind(site.serves.join(";"))
                .execute(&mut *tx)
                .await?;
            }
        });
        Ok((added, changed))
    }

    /// Every site, by id.
    pub async fn sites(&self) -> Result<Vec<Site>> {
        let rows: Vec<SiteRow> = on_pool!(self, |pool| {
            sqlx::query_as("select * from sites order by id")
                .fetch_all(pool)
                .await?
        });
        Ok(rows.into_iter().map(SiteRow::into_site).collect())
    }

    /// Notes where known buildings lie; gives how many were known.
    pub async fn save_building_points(&self, points: &[BuildingPoint]) -> Result<u64> {
        let rows: Vec<_> = points
            .iter()
            .map(|point| {
                serde_json::json!({
                    "district": point.district, "street": point.street, "community": point.community,
                    "building": point.building, "lat": point.coordinates.lat, "lon": point.coordinates.lon,
                })
            })
            .collect();
        let sql = self.sql(
            "update buildings set lat = p.lat, lon = p.lon from ( \
               select b.id as building_id, cast(r.value->>'lat' as double precision) as lat, \
                      cast(r.value->>'lon' as double precision) as lon \
               from {rows} \
               join communities c on c.district = r.value->>'district' and c.street = r.value->>'street' \
                 and c.name = r.value->>'community' \
               join buildings b on b.community_id = c.id and b.name = r.value->>'building') as p \
             where buildings.id = p.building_id",
        );
        Ok(in_transaction!(self, |tx| {
            sqlx::query(sql)
                .bind(json(&rows))
                .execute(&mut *tx)
                .await?
                .rows_affected()
        }))
    }
}

/// A site's breaks as they are stored: `12:00-13:00;17:30-18:00`.
fn breaks(site: &Site) -> String {
    let spans: Vec<String> = site
        .breaks
        .iter()
        .map(|(from, to)| format!("{}-{}", from.format("%H:%M"), to.format("%H:%M")))
        .collect();
    spans.join(";")
}
