//! What a worker at a site reports, what becomes of it, and incidents from the field: buttons in, wishes out, and how it
//! all reads. Pure. A keyboard carries all that was answered before it, so that nothing is lost by a restart.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    config::Config,
    domain::{
        AlertId, Area, Body, Button, ChannelKind, CommunityId, FieldScope, IncidentReason, Language,
        Proposal, ProposalId, ProposalKind, ProposalState, QueueLength, ReportId, Right, Site, SiteId,
        SiteReport, Supplies, Trouble, Worker, may,
    },
    i18n::{Text, Texts, work},
    store::Rest,
};

use super::alerts::site_area;

/// What the data of a report's buttons begins with.
pub const PREFIX: &str = "w:s:";
/// The same of an incident's.
pub const INCIDENT_PREFIX: &str = "w:n:";
/// Places on one keyboard.
const PLACES_SHOWN: usize = 20;
/// Up to so many desks each number has its button.
const DESKS_LISTED: u32 = 9;
/// A keyboard says nothing any more of how it is so much later.
const KEYBOARD_HOLDS_MINUTES: i64 = 30;

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To report: from the site of the last time, where there was one.
    Report,
    /// To report from another site.
    Choose,
    /// To report from this one.
    At(SiteId),
    /// The line was told: to be asked for the desks.
    Line(Seen, Line),
    /// The desks were told: to be asked for the rest.
    Desks(Seen, Line, Desks),
    /// All was told: to store it.
    Store(Seen, Line, Desks, Rest),
    /// To add a photo to a report.
    Photo(ReportId, String),
    /// To declare or propose an incident: to be asked where.
    Incident,
    /// To be asked why.
    Why(FieldScope),
    /// To be asked whether it is meant.
    Sure(FieldScope, IncidentReason),
    /// It is meant.
    Declare(FieldScope, IncidentReason, i64),
    /// To decide a proposal: to do it, or to leave it.
    Decide(ProposalId, bool),
    /// To see to an alert.
    SeeTo(AlertId),
}

/// A site, and the minute at which its keyboard was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where.
    pub site: SiteId,
    /// Minutes since 1970.
    pub minute: i64,
}

impl Seen {
    /// A keyboard that is drawn now.
    pub fn now(site: SiteId, now: DateTime<Utc>) -> Self {
        Self {
            site,
            minute: minute(now),
        }
    }

    /// What it says is still how it is.
    pub fn holds(self, now: DateTime<Utc>) -> bool {
        (0..=KEYBOARD_HOLDS_MINUTES).contains(&(minute(now) - self.minute))
    }

    /// Names what its taps report, so that they make one report of it.
    pub fn key(self, worker: &Worker) -> String {
        format!("{}:{}:{}", worker.id, self.site, self.minute)
    }
}

/// The minute of an instant, since 1970.
pub fn minute(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(60)
}

/// The first answer: the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// How long it is.
    pub length: QueueLength,
    /// Those in it keep their distance.
    pub apart: bool,
}

/// The second answer: desks and staff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Desks {
    /// Open ones.
    pub open: u32,
    /// Staff is missing.
    pub staff_short: bool,
}

const LINES: [Line; 7] = [
    line(QueueLength::None, true),
    line(QueueLength::Short, true),
    line(QueueLength::Short, false),
    line(QueueLength::Long, true),
    line(QueueLength::Long, false),
    line(QueueLength::VeryLong, true),
    line(QueueLength::VeryLong, false),
];

const fn line(length: QueueLength, apart: bool) -> Line {
    Line { length, apart }
}

const RESTS: [(Rest, &str); 6] = [
    (Rest::Well, "ok"),
    (Rest::Supplies(Supplies::Low), "low"),
    (Rest::Supplies(Supplies::Out), "out"),
    (Rest::Trouble(Trouble::Registration), "reg"),
    (Rest::Trouble(Trouble::Weather), "wet"),
    (Rest::Trouble(Trouble::Other), "oth"),
];

impl Wish {
    /// What a button wants, by what follows [`PREFIX`]: `at:SITE`, `other`, or `SITE:MINUTE:LINE[:DESKS[:REST]]`.
    pub fn of_button(data: &str) -> Option<Self> {
        let parts: Vec<&str> = data.split(':').collect();
        match parts.as_slice() {
            ["other"] => return Some(Self::Choose),
            ["at", site] => return Some(Self::At(SiteId(site.parse().ok()?))),
            _ => {}
        }
        let (site, minute, line) = (parts.first()?, parts.get(1)?, parts.get(2)?);
        let seen = Seen {
            site: SiteId(site.parse().ok()?),
            minute: minute.parse().ok()?,
        };
        let line = *LINES.get(line.parse::<usize>().ok()?)?;
        let Some(desks) = parts.get(3) else {
            return Some(Self::Line(seen, line));
        };
        let short = desks.strip_suffix('s');
        let desks = Desks {
            open: short
                .unwrap_or(desks)
                .parse()
                .ok()
                .filter(|open| *open <= 1_000)?,
            staff_short: short.is_some(),
        };
        match parts.as_slice() {
            [_, _, _, _] => Some(Self::Desks(seen, line, desks)),
            [_, _, _, _, word] => {
                let (rest, _) = RESTS.iter().find(|(_, known)| known == word)?;
                Some(Self::Store(seen, line, desks, *rest))
            }
            _ => None,
        }
    }

    /// What an incident's button wants, by what follows [`INCIDENT_PREFIX`]: `SCOPE[:REASON[:MINUTE]]`.
    pub fn of_incident_button(data: &str) -> Option<Self> {
        let mut parts = data.split(':');
        let scope = scope_of(parts.next()?)?;
        let Some(reason) = parts.next() else {
            return Some(Self::Why(scope));
        };
        let reason = IncidentReason::parse(reason)?;
        match (parts.next(), parts.next()) {
            (None, _) => Some(Self::Sure(scope, reason)),
            (Some(minute), None) => Some(Self::Declare(scope, reason, minute.parse().ok()?)),
            _ => None,
        }
    }

    /// What a proposal's button wants: `yes:ID` or `no:ID`.
    pub fn of_proposal_button(data: &str) -> Option<Self> {
        let (word, id) = data.split_once(':')?;
        let id = ProposalId(id.parse().ok()?);
        match word {
            "yes" => Some(Self::Decide(id, true)),
            "no" => Some(Self::Decide(id, false)),
            _ => None,
        }
    }
}

/// Where, in one short word: `city`, `s12`, `m7`.
fn scope_word(scope: FieldScope) -> String {
    match scope {
        FieldScope::City => "city".into(),
        FieldScope::Site(id) => format!("s{id}"),
        FieldScope::Community(id) => format!("m{id}"),
    }
}

fn scope_of(word: &str) -> Option<FieldScope> {
    if word == "city" {
        return Some(FieldScope::City);
    }
    let (kind, id) = word.split_at_checked(1)?;
    match kind {
        "s" => id.parse().ok().map(|id| FieldScope::Site(SiteId(id))),
        "m" => id.parse().ok().map(|id| FieldScope::Community(CommunityId(id))),
        _ => None,
    }
}

/// The sites that a worker may report from.
pub fn sites_of<'s>(worker: &Worker, sites: &'s [Site]) -> Vec<&'s Site> {
    let may = |site: &&Site| may(worker, Right::ReportSite, &site_area(site));
    sites.iter().filter(may).collect()
}

/// The places about which a worker may propose an incident: the city, communities, sites.
pub fn places_of(
    worker: &Worker,
    communities: &[(CommunityId, [String; 3])],
    sites: &[Site],
) -> Vec<(FieldScope, String)> {
    let right = Right::ProposeIncident;
    let mut places = Vec::new();
    if may(worker, right, &Area::City) {
        places.push((FieldScope::City, String::new()));
    }
    let own_sites = sites.iter().filter(|site| may(worker, right, &site_area(site)));
    places.extend(own_sites.map(|site| (FieldScope::Site(site.id), site.name.clone())));
    let own = communities
        .iter()
        .filter(|(_, path)| may(worker, right, &Area::Community(path.clone())));
    places.extend(own.map(|(id, [.., name])| (FieldScope::Community(*id), name.clone())));
    places.truncate(PLACES_SHOWN);
    places
}

/// The numbers of desks that are offered: each up to some more than are planned with; of many, those about that number.
pub fn desks_offered(planned: u32) -> Vec<u32> {
    if planned <= DESKS_LISTED - 2 {
        return (0..=planned + 2).collect();
    }
    let mut offered: Vec<u32> = [0, planned / 4, planned / 2, planned * 3 / 4].into();
    offered.extend(planned.saturating_sub(3)..=planned + 2);
    offered.sort_unstable();
    offered.dedup();
    offered
}

/// What a worker reads of all this, in their language.
#[derive(Clone, Copy, Debug)]
pub struct Sheet<'a> {
    /// The words.
    pub texts: &'a Texts,
    /// Settings.
    pub config: &'a Config,
    /// In which language.
    pub language: Language,
}

impl<'a> Sheet<'a> {
    /// For one worker.
    pub fn of(texts: &'a Texts, config: &'a Config, worker: &Worker) -> Self {
        Self {
            texts,
            config,
            language: worker.language.unwrap_or(config.city.default_language),
        }
    }

    pub(crate) fn say(&self, text: &Text<'_>) -> String {
        self.texts.say(self.language, ChannelKind::Telegram, text)
    }

    fn said(&self, text: &Text<'_>, buttons: Vec<Vec<Button>>) -> Body {
        Body {
            text: self.say(text),
            buttons,
            ..Body::default()
        }
    }

    /// There is no site in their area.
    pub fn no_site(&self) -> Body {
        Body::text(self.say(&Text::SiteNowhere))
    }

    /// Which site.
    pub fn which(&self, sites: &[&Site]) -> Body {
        let button = |site: &&Site| {
            vec![Button::Choice {
                label: site.name.clone(),
                data: format!("{PREFIX}at:{}", site.id),
            }]
        };
        let buttons = sites.iter().take(PLACES_SHOWN).map(button).collect();
        self.said(&Text::SiteWhich, buttons)
    }

    /// The first question; `others` where the worker has more than one site.
    pub fn ask_line(&self, site: &Site, others: bool, now: DateTime<Utc>) -> Body {
        let seen = Seen::now(site.id, now);
        let button = |(index, line): (usize, &Line)| Button::Choice {
            label: self.line(*line),
            data: format!("{PREFIX}{}:{}:{index}", seen.site, seen.minute),
        };
        let mut buttons: Vec<Button> = LINES.iter().enumerate().map(button).collect();
        let mut rows = vec![vec![buttons.remove(0)]];
        rows.extend(buttons.chunks(2).map(<[Button]>::to_vec));
        if others {
            rows.push(vec![Button::Choice {
                label: self.say(&Text::SiteOther),
                data: format!("{PREFIX}other"),
            }]);
        }
        self.said(&Text::SiteLine { site: &site.name }, rows)
    }

    fn line(&self, line: Line) -> String {
        let length = work::queue(self.texts, self.language, line.length);
        if line.length == QueueLength::None {
            return length;
        }
        let distance = if line.apart {
            Text::SiteApart
        } else {
            Text::SiteClose
        };
        self.say(&Text::SiteLineWith {
            length: &length,
            distance: &self.say(&distance),
        })
    }

    /// The second question.
    pub fn ask_desks(&self, site: &Site, seen: Seen, line: Line) -> Body {
        let index = LINES.iter().position(|known| *known == line).unwrap_or_default();
        let row = |open: u32| {
            let button = |short: bool| {
                let number = open.to_string();
                let label = if short {
                    self.say(&Text::SiteDesksShort { number: &number })
                } else {
                    number
                };
                let mark = if short { "s" } else { "" };
                Button::Choice {
                    label,
                    data: format!("{PREFIX}{}:{}:{index}:{open}{mark}", seen.site, seen.minute),
                }
            };
            // Where no desk is open, nobody asks for staff.
            if open == 0 {
                return vec![button(false)];
            }
            vec![button(false), button(true)]
        };
        let rows = desks_offered(site.desks).into_iter().map(row).collect();
        let planned = site.desks.to_string();
        self.said(&Text::SiteDesks { planned: &planned }, rows)
    }

    fn rests(&self, seen: Seen, line: Line, desks: Desks, offered: &[(Rest, &str)]) -> Vec<Vec<Button>> {
        let index = LINES.iter().position(|known| *known == line).unwrap_or_default();
        let mark = if desks.staff_short { "s" } else { "" };
        let button = |(rest, word): &(Rest, &str)| Button::Choice {
            label: self.say(&rest_text(*rest)),
            data: format!(
                "{PREFIX}{}:{}:{index}:{}{mark}:{word}",
                seen.site, seen.minute, desks.open
            ),
        };
        let buttons: Vec<Button> = offered.iter().map(button).collect();
        buttons.chunks(2).map(<[Button]>::to_vec).collect()
    }

    /// The third question.
    pub fn ask_rest(&self, seen: Seen, line: Line, desks: Desks) -> Body {
        self.said(&Text::SiteRest, self.rests(seen, line, desks, &RESTS))
    }

    /// It is stored; what it says, what may be added, and what was proposed because of it.
    pub fn stored(
        &self,
        site: &Site,
        (seen, line, desks): (Seen, Line, Desks),
        report: &SiteReport,
        proposed: bool,
    ) -> Body {
        let mut lines = vec![self.say(&Text::SiteStored), self.summary(site, report)];
        if proposed {
            let text = if desks.open == 0 {
                Text::SiteProposedClosed
            } else {
                Text::SiteProposedDesks
            };
            lines.push(self.say(&text));
        }
        lines.push(self.say(&Text::SitePhoto));
        let said = |rest: &Rest| match rest {
            Rest::Well => true,
            Rest::Supplies(supplies) => *supplies == report.supplies,
            Rest::Trouble(trouble) => Some(*trouble) == report.trouble,
        };
        let more: Vec<(Rest, &str)> = RESTS.into_iter().filter(|(rest, _)| !said(rest)).collect();
        Body {
            text: lines.join("\n"),
            buttons: self.rests(seen, line, desks, &more),
            ..Body::default()
        }
    }

    /// A report in one line.
    pub fn summary(&self, site: &Site, report: &SiteReport) -> String {
        let line = self.line(Line {
            length: report.queue,
            apart: report.apart,
        });
        let number = report.desks.to_string();
        let desks = if report.staff_short {
            self.say(&Text::SiteDesksShort { number: &number })
        } else {
            number
        };
        let mut rest = Vec::new();
        if report.supplies != Supplies::Enough {
            rest.push(self.say(&rest_text(Rest::Supplies(report.supplies))));
        }
        rest.extend(
            report
                .trouble
                .map(|trouble| self.say(&rest_text(Rest::Trouble(trouble)))),
        );
        if rest.is_empty() {
            rest.push(self.say(&Text::SiteWell));
        }
        self.say(&Text::SiteSummary {
            site: &site.name,
            line: &line,
            desks: &desks,
            rest: &rest.join(", "),
        })
    }

    /// Asks where an incident is.
    pub fn ask_where(&self, places: &[(FieldScope, String)]) -> Body {
        if places.is_empty() {
            return self.no_site();
        }
        let button = |(scope, name): &(FieldScope, String)| Button::Choice {
            label: self.scope_name(*scope, name),
            data: format!("{INCIDENT_PREFIX}{}", scope_word(*scope)),
        };
        let buttons: Vec<Button> = places.iter().map(button).collect();
        let rows = buttons.chunks(2).map(<[Button]>::to_vec).collect();
        self.said(&Text::IncidentWhere, rows)
    }

    /// A place's name; the city has none of its own.
    pub fn scope_name(&self, scope: FieldScope, name: &str) -> String {
        match scope {
            FieldScope::City => self.say(&Text::WorkCity),
            _ => name.to_owned(),
        }
    }

    /// Asks why.
    pub fn ask_why(&self, scope: FieldScope) -> Body {
        let button = |reason: &IncidentReason| {
            vec![Button::Choice {
                label: work::incident_reason(self.texts, self.language, *reason),
                data: format!("{INCIDENT_PREFIX}{}:{}", scope_word(scope), reason.as_str()),
            }]
        };
        let rows = IncidentReason::ALL.iter().map(button).collect();
        self.said(&Text::IncidentWhy, rows)
    }

    /// Says what would happen, with the one button that does it; `opens` where this worker may open it themselves.
    pub fn ask_sure(
        &self,
        scope: FieldScope,
        name: &str,
        reason: IncidentReason,
        opens: bool,
        now: DateTime<Utc>,
    ) -> Body {
        let reason_words = work::incident_reason(self.texts, self.language, reason);
        let place = self.scope_name(scope, name);
        let (place, reason_words) = (place.as_str(), reason_words.as_str());
        let (text, label) = if opens {
            (
                Text::IncidentSureOpen {
                    place,
                    reason: reason_words,
                },
                Text::IncidentOpen,
            )
        } else {
            (
                Text::IncidentSurePropose {
                    place,
                    reason: reason_words,
                },
                Text::IncidentPropose,
            )
        };
        let data = format!(
            "{INCIDENT_PREFIX}{}:{}:{}",
            scope_word(scope),
            reason.as_str(),
            minute(now)
        );
        self.said(
            &text,
            vec![vec![Button::Choice {
                label: self.say(&label),
                data,
            }]],
        )
    }

    /// It is too late for this keyboard.
    pub fn old(&self) -> Body {
        Body::text(self.say(&Text::SiteOld))
    }

    /// How a proposal was decided, for one who came too late.
    pub fn decided(&self, proposal: &Proposal, name: &str) -> Body {
        Body::text(match proposal.state {
            ProposalState::Confirmed => self.say(&Text::ProposalConfirmed { name }),
            ProposalState::Left => self.say(&Text::ProposalLeft { name }),
            ProposalState::Overtaken | ProposalState::Waiting => self.say(&Text::ProposalOvertaken),
        })
    }
}

/// Whether the minute in a button that declares an incident is still the present.
pub fn is_recent(minute_drawn: i64, now: DateTime<Utc>) -> bool {
    (0..=KEYBOARD_HOLDS_MINUTES).contains(&(minute(now) - minute_drawn))
}

/// The right that it takes to confirm or leave a proposal.
pub fn right_to_decide(kind: ProposalKind) -> Right {
    match kind {
        ProposalKind::Desks => Right::Plan,
        ProposalKind::Incident => Right::OpenIncident,
    }
}

/// How long ago, in whole minutes.
pub fn age_minutes(at: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    (now - at).max(TimeDelta::zero()).num_minutes()
}

fn rest_text(rest: Rest) -> Text<'static> {
    match rest {
        Rest::Well | Rest::Supplies(Supplies::Enough) => Text::SiteWell,
        Rest::Supplies(Supplies::Low) => Text::SiteSuppliesLow,
        Rest::Supplies(Supplies::Out) => Text::SiteSuppliesOut,
        Rest::Trouble(Trouble::Registration) => Text::SiteRegistration,
        Rest::Trouble(Trouble::Weather) => Text::SiteWeather,
        Rest::Trouble(Trouble::Other) => Text::SiteTroubleOther,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ContactId, Role, Scope, WorkerId};

    fn site() -> Site {
        let hour = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).expect("an hour");
        Site {
            id: SiteId(i64::MAX),
            name: "梧桐采样点".into(),
            district: "锦江区".into(),
            street: "春熙街道".into(),
            community: "梧桐社区".into(),
            serves: Vec::new(),
            address: "梧桐广场".into(),
            desks: 3,
            green_desks: 1,
            samples_per_desk_hour: 120,
            opens: hour(8),
            closes: hour(21),
            breaks: Vec::new(),
            coordinates: None,
        }
    }

    fn data(body: &Body) -> Vec<String> {
        let choices = body.buttons.iter().flatten();
        let data = choices.filter_map(|button| match button {
            Button::Choice { data, .. } => Some(data.clone()),
            _ => None,
        });
        data.collect()
    }

    #[test]
    fn three_keyboards_lead_to_every_report_and_fit_into_telegrams_buttons() {
        let (texts, config, site) = (Texts::load().expect("texts"), Config::default(), site());
        let now: DateTime<Utc> = "2026-09-03T07:00:30Z".parse().expect("an instant");
        for language in Language::ALL {
            let sheet = Sheet {
                texts: &texts,
                config: &config,
                language,
            };
            let mut reports = 0;
            for first in data(&sheet.ask_line(&site, false, now)) {
                let Some(Wish::Line(seen, line)) = Wish::of_button(&first[PREFIX.len()..]) else {
                    panic!("{first}");
                };
                assert!(seen == Seen::now(site.id, now) && seen.holds(now));
                for second in data(&sheet.ask_desks(&site, seen, line)) {
                    let Some(Wish::Desks(_, same, desks)) = Wish::of_button(&second[PREFIX.len()..]) else {
                        panic!("{second}");
                    };
                    assert_eq!(same, line);
                    for third in data(&sheet.ask_rest(seen, line, desks)) {
                        assert!(third.len() <= 64, "{third}");
                        let Some(Wish::Store(_, line_then, desks_then, _)) =
                            Wish::of_button(&third[PREFIX.len()..])
                        else {
                            panic!("{third}");
                        };
                        assert_eq!((line_then, desks_then), (line, desks));
                        reports += 1;
                    }
                }
            }
            assert_eq!(reports, 7 * 11 * 6);
        }
    }

    #[test]
    fn what_is_no_button_wants_nothing() {
        for bad in [
            "",
            "at:",
            "at:x",
            "1",
            "1:2",
            "1:2:9",
            "1:2:0:x",
            "1:2:0:1001",
            "1:2:0:3:what",
            "1:2:0:3:ok:1",
        ] {
            assert_eq!(Wish::of_button(bad), None, "{bad}");
        }
        for bad in [
            "",
            "x1",
            "s",
            "sx",
            "s1:what",
            "s1:closed:x",
            "s1:closed:1:1",
            "城",
        ] {
            assert_eq!(Wish::of_incident_button(bad), None, "{bad}");
        }
        for bad in ["", "yes", "yes:", "yes:x", "maybe:1"] {
            assert_eq!(Wish::of_proposal_button(bad), None, "{bad}");
        }
        let scope = FieldScope::Community(CommunityId(7));
        let reason = IncidentReason::Weather;
        assert_eq!(Wish::of_incident_button("m7"), Some(Wish::Why(scope)));
        assert_eq!(
            Wish::of_incident_button("m7:weather:5"),
            Some(Wish::Declare(scope, reason, 5))
        );
    }

    #[test]
    fn a_keyboard_holds_half_an_hour() {
        let at = |minute: i64| DateTime::UNIX_EPOCH + TimeDelta::minutes(minute);
        let seen = Seen::now(SiteId(1), at(100));
        for (minute, holds) in [(99, false), (100, true), (130, true), (131, false)] {
            assert_eq!(seen.holds(at(minute)), holds, "{minute}");
            assert_eq!(is_recent(100, at(minute)), holds, "{minute}");
        }
    }

    #[test]
    fn desks_are_offered_about_what_is_planned() {
        assert_eq!(desks_offered(1), [0, 1, 2, 3]);
        assert_eq!(desks_offered(7).len(), 10);
        assert_eq!(desks_offered(40), [0, 10, 20, 30, 37, 38, 39, 40, 41, 42]);
    }

    #[test]
    fn who_works_elsewhere_is_offered_nothing() {
        let worker = |role, scope: &str| Worker {
            id: WorkerId(1),
            name: "小王".into(),
            role,
            scope: scope.parse::<Scope>().expect("a scope"),
            contact: Some(ContactId(1)),
            language: None,
            on_duty: true,
            removed: false,
        };
        let path = ["锦江区", "春熙街道", "梧桐社区"].map(str::to_owned);
        let (sites, communities) = ([site()], [(CommunityId(7), path)]);
        let offered = |worker: &Worker| {
            (
                sites_of(worker, &sites).len(),
                places_of(worker, &communities, &sites).len(),
            )
        };
        assert_eq!(offered(&worker(Role::Operator, "city")), (1, 3));
        assert_eq!(offered(&worker(Role::Worker, "锦江区/春熙街道/梧桐社区")), (1, 2));
        assert_eq!(offered(&worker(Role::Worker, "锦江区/春熙街道/银杏社区")), (0, 0));
        assert_eq!(offered(&worker(Role::Viewer, "city")), (0, 0));
    }
}
