//! A building unit as somebody names it on the command line.

use anyhow::{Context, Result, bail};

use crate::{
    conversation::places::{Area, Level, Narrowed, PlaceRow, Places},
    domain::{UnitId, UnitPlace},
    store::Store,
};

/// The unit of this name, or of the code at its door.
pub async fn unit_named(store: &Store, unit: &str) -> Result<(UnitId, UnitPlace)> {
    let rows: Vec<PlaceRow> = store
        .units()
        .await?
        .into_iter()
        .map(|row| PlaceRow {
            unit: row.unit,
            place: row.place,
            code: row.code,
        })
        .collect();
    let places = Places::new(&rows);
    let found: Vec<Area> = match places.unit_by_code(unit) {
        Some(unit) => vec![Area {
            level: Level::Unit,
            unit,
        }],
        None => places.search(None, unit),
    };
    let unit = match found[..] {
        [] => bail!(
            "no unit is called {unit}: write community, building and unit as `weir round show ID --windows` does, \
             or give the code at its door"
        ),
        [area] if area.level == Level::Unit => area.unit,
        [area] => match places.narrow(Some(area)) {
            Narrowed::Unit(unit) => unit,
            _ => bail!("{} has several units: name one of them", places.short_name(area)),
        },
        _ => {
            let names: Vec<String> = found
                .iter()
                .take(8)
                .map(|area| places.short_name(*area))
                .collect();
            bail!("{unit} may be one of several: {}", names.join(", "));
        }
    };
    let place = places.place(unit).context("the unit has left the directory")?;
    Ok((unit, place))
}
