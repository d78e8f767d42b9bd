//! The list that a team takes along: a page to print, with all that is to be known at each door.

use askama::Template;
use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    config::Config,
    domain::{ChannelKind, Language, Team, Visit},
    i18n::{Text, Texts, Voice, day, hours, visits::role_word},
};

/// The page could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the list could not be laid out: {0}")]
pub struct LayoutError(String);

struct Row {
    number: String,
    time: String,
    place: String,
    who: String,
    people: u32,
    phone: String,
    notes: String,
    code: String,
    urgent: bool,
}

struct Page {
    heading: String,
    who: String,
    count: String,
    rows: Vec<Row>,
}

struct Head {
    number: String,
    time: String,
    place: String,
    who: String,
    people: String,
    phone: String,
    notes: String,
    code: String,
    done: String,
}

#[derive(Template)]
#[template(path = "visits.html")]
struct Sheet {
    lang: &'static str,
    title: String,
    guide: String,
    private: String,
    urgent: String,
    head: Head,
    pages: Vec<Page>,
}

/// The page of these visits on a date, a section for each team, in the order of the routes.
pub fn html(
    config: &Config,
    texts: &Texts,
    date: NaiveDate,
    teams: &[(&Team, Vec<&Visit>)],
) -> Result<String, LayoutError> {
    let voice = Voice {
        texts,
        language: config.city.default_language,
        channel: ChannelKind::Telegram,
        sender_name: &config.sms.sender_name,
    };
    let say = |text: Text<'_>| voice.say(&text);
    let sheet = Sheet {
        lang: voice.language.code(),
        title: say(Text::VisitListTitle),
        guide: say(Text::VisitListGuide),
        private: say(Text::VisitListPrivate),
        urgent: say(Text::VisitListUrgent),
        head: Head {
            number: say(Text::VisitListNumber),
            time: say(Text::VisitListTime),
            place: say(Text::VisitListWhere),
            who: say(Text::VisitListWho),
            people: say(Text::VisitListPeople),
            phone: say(Text::VisitListPhone),
            notes: say(Text::VisitListNotes),
            code: say(Text::VisitListCode),
            done: say(Text::VisitListDone),
        },
        pages: teams
            .iter()
            .map(|(team, visits)| page(config, &voice, date, team, visits))
            .collect(),
    };
    sheet.render().map_err(|error| LayoutError(error.to_string()))
}

fn page(config: &Config, voice: &Voice<'_>, date: NaiveDate, team: &Team, visits: &[&Visit]) -> Page {
    let members: Vec<String> = team
        .members
        .iter()
        .map(|member| format!("{}({})", member.name, role_word(voice, member.role)))
        .collect();
    let count = visits.len().to_string();
    Page {
        heading: format!("{}　{}", day(voice.language, date, false), team.name),
        who: members.join("　"),
        count: voice.say(&Text::VisitListCount { count: &count }),
        rows: visits
            .iter()
            .map(|visit| row(config, voice.language, visit))
            .collect(),
    }
}

fn row(config: &Config, language: Language, visit: &Visit) -> Row {
    let time = |from: DateTime<Utc>, to: DateTime<Utc>| {
        let local = |at: DateTime<Utc>| at.with_timezone(&config.city.time_zone).time();
        hours(language, local(from), local(to))
    };
    let notes: Vec<&str> = [visit.access.as_str(), visit.reason.as_str()]
        .into_iter()
        .filter(|note| !note.is_empty())
        .collect();
    Row {
        number: visit.id.to_string(),
        time: visit
            .promise
            .map_or_else(String::new, |promise| time(promise.from, promise.to)),
        place: format!("{} {}", visit.place.within_community(), visit.door),
        who: visit.name.clone(),
        people: visit.people,
        phone: visit
            .phone
            .as_ref()
            .map_or_else(String::new, |phone| phone.as_e164().to_owned()),
        notes: notes.join("；"),
        code: visit.door_code.clone(),
        urgent: visit.urgent,
    }
}
