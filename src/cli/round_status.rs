//! `weir round status`: how far a round has come, and whom it does not reach.

use anyhow::Result;
use serde_json::json;

use super::{Session, deliveries::count_table, output::table};
use crate::{
    domain::{DeliveryState, RoundId, UnitPlace},
    release::{
        communities::Communities,
        plan::{self, PlanSummary},
    },
    store::{DeliveryFilter, Round, Silent, StateCount, StoredRefusal},
};

/// Tells it.
pub(super) async fn status(id: RoundId, session: &Session) -> Result<()> {
    let store = session.store().await?;
    let round = plan::existing(&store, id).await?;
    let (told, units) = store.told(id).await?;
    let filter = DeliveryFilter {
        round: Some(id),
        ..DeliveryFilter::default()
    };
    let counts = store.count_deliveries(&filter).await?;
    let silent = store.silent_households(id).await?;
    let refused = store.refusals(false).await?;
    let pacing = super::pacing::current(&store, session).await?;
    let summary = plan::plan_summary(&round);
    let spec = plan::round_spec(&round)?;
    let units_known = store.units().await?;
    let places = units_known.iter().map(|unit| &unit.place);
    // A name that has become ambiguous since hides nobody.
    let communities = Communities::named(&spec.communities, places).unwrap_or(Communities::All);
    let unplanned: Vec<_> = store
        .without_window(id)
        .await?
        .into_iter()
        .filter(|(place, _)| communities.contains(place))
        .collect();
    let open: i64 = counts
        .iter()
        .filter(|count| !DeliveryState::parse(&count.state).is_some_and(DeliveryState::is_final))
        .map(|count| count.deliveries)
        .sum();
    let answer = json!({
        "round": id, "state": round.state, "units": units, "units_told": told, "people": summary.people,
        "deliveries": counts, "open_deliveries": open,
        "households_without_contact": silent.iter().map(|unit| unit.households).sum::<i64>(),
        "without_contact_by_unit": silent, "people_without_window": unplanned.iter().map(|(_, people)| people).sum::<i64>(),
        "without_window_by_unit": unplanned.iter().map(|(place, people)| json!({ "unit": place, "people": people })).collect::<Vec<_>>(),
        "not_planned_for": refused.len(), "not_planned_for_rows": refused,
        "over_capacity_units": summary.over_capacity_units, "pacing": pacing,
    });
    session.out.answer(&answer, || {
        format!("{}\n", pacing.words())
            + &status_words(
                &round,
                &summary,
                (told, units),
                &counts,
                open,
                &silent,
                &unplanned,
                &refused,
            )
    })
}

#[expect(clippy::too_many_arguments, reason = "the parts of one report")]
fn status_words(
    round: &Round,
    summary: &PlanSummary,
    (told, units): (i64, i64),
    counts: &[StateCount],
    open: i64,
    silent: &[Silent],
    unplanned: &[(UnitPlace, i64)],
    refused: &[StoredRefusal],
) -> String {
    let mut text = format!(
        "round {} is {}: {told} of {units} units told, {} people planned for, {open} deliveries still open\n\n",
        round.id,
        round.state.as_str(),
        summary.people
    );
    if !counts.is_empty() {
        text.push_str(&format!("{}\n\n", count_table(counts)));
    }
    text.push_str(&silent_words(silent, 50));
    if !unplanned.is_empty() {
        text.push_str(&format!(
            "{} people in {} units came onto the roster after this round was planned: they have NO window. Plan a round for \
             their communities\n",
            unplanned.iter().map(|(_, people)| people).sum::<i64>(),
            unplanned.len()
        ));
    }
    if !refused.is_empty() {
        text.push_str(&format!(
            "{} rows of the imported files were refused: these people are NOT planned for until the rows are mended\n",
            refused.len()
        ));
        let rows: Vec<Vec<String>> = refused
            .iter()
            .take(50)
            .map(|row| {
                vec![
                    format!("{} line {}", row.file, row.line),
                    row.place.clone(),
                    format!("{}: {}", row.column, row.reason),
                ]
            })
            .collect();
        text.push_str(&format!("{}\n", table(&["row", "place", "why"], &rows)));
        if refused.len() > 50 {
            text.push_str(&format!(
                "… and {} more; --json lists them all\n",
                refused.len() - 50
            ));
        }
    }
    text
}

pub(super) fn silent_words(silent: &[Silent], limit: usize) -> String {
    let households: i64 = silent.iter().map(|unit| unit.households).sum();
    if households == 0 {
        return "every household has a working contact\n".into();
    }
    let people: i64 = silent.iter().map(|unit| unit.people).sum();
    let mut text = format!(
        "{households} households ({people} people) have no working contact: somebody must knock at their doors\n"
    );
    let mut units: Vec<&Silent> = silent.iter().collect();
    units.sort_by(|a, b| a.place.natural_cmp(&b.place));
    let rows: Vec<Vec<String>> = units
        .iter()
        .take(limit)
        .map(|unit| {
            let opted_out = if unit.opted_out > 0 {
                format!("{} opted out", unit.opted_out)
            } else {
                String::new()
            };
            vec![
                unit.place.to_string(),
                unit.households.to_string(),
                unit.people.to_string(),
                opted_out,
            ]
        })
        .collect();
    text.push_str(&format!(
        "{}\n",
        table(&["unit", "households", "people", ""], &rows)
    ));
    if units.len() > limit {
        text.push_str(&format!(
            "… and {} more units; `weir round status --json` lists them all\n",
            units.len() - limit
        ));
    }
    text
}
