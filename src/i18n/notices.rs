//! What people are told about their windows, at the moments that Weir chooses and when they ask.

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::{Text, Texts, Voice, span};
use crate::domain::{Body, Button, ChannelKind, Lane, Language, UnitPlace, WindowView};

/// So many windows are told in one message; the phone of a dormitory's warden may stand for hundreds.
const WINDOWS_TOLD_MAX: usize = 10;
/// The button data that asks for the windows, for the menu, and for another time; the conversation reads them.
pub(crate) const ASK_WINDOWS: &str = "windows";
pub(crate) const ASK_MENU: &str = "menu";
pub(crate) const ASK_OTHER_TIME: &str = "other_time";

/// Tells the windows of a round, with the page where people register, if there is one. It may be read on another day,
/// so it always names the date.
pub fn window_notice(voice: &Voice<'_>, tz: Tz, windows: &[WindowView], link: Option<&str>) -> Body {
    let advice = [Text::OnTime, Text::WhatToBring];
    let body = announce(
        voice,
        tz,
        windows,
        None,
        &Text::WindowHeading,
        &with_link(&advice, link),
    );
    with_link_button(voice, body, link)
}

/// Tells the windows of a round where a second message brings the link.
pub fn first_of_two(voice: &Voice<'_>, tz: Tz, windows: &[WindowView]) -> Body {
    let advice = [Text::WaitForCall, Text::WhatToBring];
    announce(voice, tz, windows, None, &Text::WindowHeading, &advice)
}

/// The second of two messages: the window has come, here is the link, and what to do where it fails. On `today`.
pub fn call(voice: &Voice<'_>, tz: Tz, windows: &[WindowView], link: Option<&str>, today: NaiveDate) -> Body {
    let advice = with_link(&[Text::CallRemedy], link);
    let body = announce(voice, tz, windows, Some(today), &Text::CallHeading, &advice);
    with_link_button(voice, body, link)
}

/// Reminds shortly before the window, on `today`.
pub fn reminder(voice: &Voice<'_>, tz: Tz, windows: &[WindowView], today: NaiveDate) -> Body {
    announce(
        voice,
        tz,
        windows,
        Some(today),
        &Text::ReminderHeading,
        &[Text::WhatToBring],
    )
}

/// Tells windows that have moved. Some moved after they had begun: who was tested then need not come again.
pub fn correction(voice: &Voice<'_>, tz: Tz, windows: &[WindowView], link: Option<&str>) -> Body {
    let advice = with_link(&[Text::WhatToBring, Text::IncidentDone], link);
    let body = announce(voice, tz, windows, None, &Text::CorrectionHeading, &advice);
    with_link_button(voice, body, link)
}

/// Tells that windows do not hold any more.
pub fn called_off(voice: &Voice<'_>, tz: Tz, windows: &[WindowView]) -> Body {
    announce(
        voice,
        tz,
        windows,
        None,
        &Text::CalledOffHeading,
        &[Text::CalledOffNext],
    )
}

/// Tells that registering does not work just now, and what to do; `beside` is what a worker adds.
pub fn incident(voice: &Voice<'_>, beside: Option<&str>) -> Body {
    let mut lines = vec![
        voice.say(&Text::IncidentHeading),
        voice.say(&Text::IncidentAdvice),
    ];
    lines.extend(beside.map(str::to_owned));
    body(voice, &lines, &Text::MenuWindows, ASK_WINDOWS)
}

/// Tells that registering works again and when to come, or with no window that its time has passed.
pub fn incident_over(voice: &Voice<'_>, tz: Tz, windows: &[WindowView]) -> Body {
    let mut lines = Vec::new();
    if windows.is_empty() {
        lines.push(voice.say(&Text::IncidentOverPast));
    } else {
        lines.push(voice.say(&Text::IncidentOverHeading));
        lines.extend(told(voice, tz, windows, None));
    }
    lines.push(voice.say(&Text::IncidentDone));
    lines.push(voice.say(&Text::StopHint));
    body(voice, &lines, &Text::MenuWindows, ASK_WINDOWS)
}

/// What "when is it our turn" is answered with.
#[derive(Clone, Copy, Debug)]
pub struct AskedWindows<'a> {
    /// Those that have not ended.
    pub windows: &'a [WindowView],
    /// Without any: those that ended shortly before.
    pub missed: &'a [WindowView],
    /// A unit that the person looks at without living there.
    pub of: Option<&'a UnitPlace>,
    /// Sites with the address of their map.
    pub maps: &'a [(String, String)],
    /// The day on which it is answered.
    pub today: NaiveDate,
}

/// Answers "my window" on `today`; with no window, says so.
pub fn windows(voice: &Voice<'_>, tz: Tz, windows: &[WindowView], today: NaiveDate) -> Body {
    let asked = AskedWindows {
        windows,
        missed: &[],
        of: None,
        maps: &[],
        today,
    };
    asked_windows(voice, tz, &asked)
}

/// Answers "when is it our turn", or somebody else's.
pub fn asked_windows(voice: &Voice<'_>, tz: Tz, asked: &AskedWindows<'_>) -> Body {
    let AskedWindows { windows, missed, .. } = *asked;
    let mut lines = Vec::new();
    match (windows.is_empty(), missed.is_empty(), asked.of) {
        (true, false, None) => {
            lines.push(voice.say(&Text::MissedHeading));
            lines.extend(told(voice, tz, missed, Some(asked.today)));
            lines.push(voice.say(&Text::MissedAdvice));
        }
        (true, _, None) => lines.push(voice.say(&Text::NoWindow)),
        (true, _, Some(place)) => {
            let place = place.within_community();
            lines.push(voice.say(&Text::PlaceNoWindow { place: &place }));
        }
        (false, _, of) => {
            lines.push(voice.say(if of.is_some() {
                &Text::PlaceWindowsHeading
            } else {
                &Text::WindowsHeading
            }));
            lines.extend(told(voice, tz, windows, Some(asked.today)));
            if windows.iter().any(|window| window.revision > 1 && !window.own) {
                lines.push(voice.say(&Text::Moved));
            }
            lines.push(voice.say(&Text::WhatToBring));
        }
    }
    let may_change = asked.of.is_none() && !windows.is_empty();
    if voice.channel == ChannelKind::Sms {
        if may_change {
            lines.push(voice.say(&Text::OtherTimeHint));
        }
        lines.push(voice.say(&Text::MenuHint));
    }
    let mut answer = body(voice, &lines, &Text::MenuOpen, ASK_MENU);
    let may_miss = asked.of.is_none() && !missed.is_empty();
    if let (Some(row), true) = (answer.buttons.first_mut(), may_change || may_miss) {
        row.insert(
            0,
            Button::Choice {
                label: voice.say(&Text::MenuOtherTime),
                data: ASK_OTHER_TIME.into(),
            },
        );
    }
    if voice.channel == ChannelKind::Telegram {
        let shown = |site: &str| windows.iter().any(|window| window.site_name == site);
        let maps = asked.maps.iter().filter(|(site, _)| shown(site));
        let map_rows = maps.map(|(site, url)| {
            vec![Button::Link {
                label: voice.say(&Text::OpenMap { site }),
                url: url.clone(),
            }]
        });
        answer.buttons.splice(0..0, map_rows);
    }
    answer
}

/// Says what a worker wrote, with the sender and how to stop around it.
pub fn announcement(voice: &Voice<'_>, words: &str) -> Body {
    let lines = [words.to_owned(), voice.say(&Text::StopHint)];
    body(voice, &lines, &Text::MenuWindows, ASK_WINDOWS)
}

/// Tells a worker that a broadcast waits for their approval.
pub fn broadcast_waits(texts: &Texts, language: Language, id: i64, people: u64) -> Body {
    let said = |text: &Text<'_>| texts.say(language, ChannelKind::Telegram, text);
    let (number, people) = (id.to_string(), people.to_string());
    let button = |label: &Text<'_>, what: &str| Button::Choice {
        label: said(label),
        data: format!("w:{what}:{id}"),
    };
    Body {
        text: said(&Text::BroadcastWaits {
            id: &number,
            people: &people,
        }),
        buttons: vec![vec![
            button(&Text::WorkShow, "show"),
            button(&Text::WorkApprove, "ok"),
        ]],
        ..Body::default()
    }
}

/// Proves that a channel works.
pub fn test_message(voice: &Voice<'_>) -> Body {
    Body::text(voice.message(&[voice.say(&Text::TestMessage)]))
}

/// Stands under the code on the sheet at each door.
pub fn scan_code(texts: &Texts, language: Language) -> String {
    texts.say(language, ChannelKind::Telegram, &Text::ScanCode)
}

/// The link, where there is one, before what else there is to heed.
fn with_link<'a>(advice: &[Text<'a>], link: Option<&'a str>) -> Vec<Text<'a>> {
    let link = link.map(|link| Text::RegisterLink { link });
    link.into_iter().chain(advice.iter().copied()).collect()
}

fn with_link_button(voice: &Voice<'_>, mut body: Body, link: Option<&str>) -> Body {
    if let Some(url) = link.filter(|_| voice.channel == ChannelKind::Telegram) {
        let button = Button::Link {
            label: voice.say(&Text::OpenRegistration),
            url: url.to_owned(),
        };
        body.buttons.insert(0, vec![button]);
    }
    body
}

/// A heading, the windows, what to heed, and how to stop.
fn announce(
    voice: &Voice<'_>,
    tz: Tz,
    windows: &[WindowView],
    today: Option<NaiveDate>,
    heading: &Text<'_>,
    advice: &[Text<'_>],
) -> Body {
    let mut lines = vec![voice.say(heading)];
    lines.extend(told(voice, tz, windows, today));
    lines.extend(advice.iter().map(|text| voice.say(text)));
    lines.push(voice.say(&Text::StopHint));
    body(voice, &lines, &Text::MenuWindows, ASK_WINDOWS)
}

/// With one button where there are buttons; a text message has better use for its characters.
fn body(voice: &Voice<'_>, lines: &[String], label: &Text<'_>, data: &str) -> Body {
    let button = Button::Choice {
        label: voice.say(label),
        data: data.into(),
    };
    Body {
        text: voice.message(lines),
        buttons: match voice.channel {
            ChannelKind::Telegram => vec![vec![button]],
            ChannelKind::Sms => Vec::new(),
        },
        ..Body::default()
    }
}

/// Each window once, the earliest first.
fn told(voice: &Voice<'_>, tz: Tz, windows: &[WindowView], today: Option<NaiveDate>) -> Vec<String> {
    let mut ordered: Vec<&WindowView> = windows.iter().collect();
    let shown = |window: &WindowView| {
        let WindowView {
            starts_at, ends_at, ..
        } = *window;
        (
            starts_at,
            window.place.clone(),
            window.site_name.clone(),
            window.lane,
            ends_at,
        )
    };
    ordered.sort_by_cached_key(|window| shown(window));
    // Several residents of one unit share its window.
    ordered.dedup_by(|a, b| shown(a) == shown(b));
    let in_green: Vec<&UnitPlace> = ordered
        .iter()
        .filter(|window| window.lane == Lane::Green)
        .map(|window| &window.place)
        .collect();
    let mut lines = Vec::new();
    for window in ordered.iter().take(WINDOWS_TOLD_MAX) {
        let place = window.place.within_community();
        let is_today = today == Some(window.starts_at.with_timezone(&tz).date_naive());
        let time = span(voice.language, tz, window.starts_at, window.ends_at, is_today);
        let site = if window.address.is_empty() {
            window.site_name.clone()
        } else {
            voice.say(&Text::SiteWithAddress {
                site: &window.site_name,
                address: &window.address,
            })
        };
        let (place, time, site) = (place.as_str(), time.as_str(), site.as_str());
        let mut line = voice.say(&match window.lane {
            Lane::Green => Text::GreenLine { place, time, site },
            // Who in the same home may use the green lane has a time of their own, said beside this one.
            Lane::Regular if in_green.contains(&&window.place) => Text::OthersLine { place, time, site },
            Lane::Regular => Text::WindowLine { place, time, site },
        });
        if window.over_capacity {
            line.push('\n');
            line.push_str(&voice.say(&Text::Crowded));
        }
        lines.push(line);
    }
    if ordered.len() > WINDOWS_TOLD_MAX {
        let count = (ordered.len() - WINDOWS_TOLD_MAX).to_string();
        lines.push(voice.say(&Text::MoreWindows { count: &count }));
    }
    lines
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fmt::Write as _;

    use chrono::{TimeDelta, TimeZone};
    use chrono_tz::Asia::Shanghai;

    use super::*;
    use crate::domain::UnitId;

    /// The parts that a text message of this text takes, all in UCS-2.
    fn sms_parts(text: &str) -> usize {
        match text.encode_utf16().count() {
            0..=70 => 1,
            units => units.div_ceil(67),
        }
    }

    pub(crate) fn view(minutes: i64) -> WindowView {
        let starts_at = Shanghai
            .with_ymd_and_hms(2022, 9, 3, 14, 10, 0)
            .single()
            .expect("exists")
            .to_utc()
            + TimeDelta::minutes(minutes);
        WindowView {
            unit: UnitId(1),
            place: UnitPlace {
                district: "锦江区".into(),
                street: "春熙街道".into(),
                community: "锦绣社区1".into(),
                building: "3栋".into(),
                unit: "2单元".into(),
            },
            site_name: "锦绣社区1采样点".into(),
            address: "锦绣社区1广场".into(),
            starts_at,
            ends_at: starts_at + TimeDelta::minutes(20),
            over_capacity: false,
            lane: Lane::Regular,
            revision: 1,
            own: false,
        }
    }

    const TODAY: NaiveDate = NaiveDate::from_ymd_opt(2022, 9, 2).expect("a date");

    type Teller = fn(&Voice<'_>, &[WindowView]) -> Body;
    const LINK: Option<&str> = Some("https://hs.example.cn/r");
    const TELLERS: [(&str, Teller); 9] = [
        ("window", |voice, views| {
            window_notice(voice, Shanghai, views, None)
        }),
        ("window with a link", |voice, views| {
            window_notice(voice, Shanghai, views, LINK)
        }),
        ("first of two", |voice, views| {
            first_of_two(voice, Shanghai, views)
        }),
        ("call", |voice, views| call(voice, Shanghai, views, LINK, TODAY)),
        ("reminder", |voice, views| reminder(voice, Shanghai, views, TODAY)),
        ("correction", |voice, views| {
            correction(voice, Shanghai, views, None)
        }),
        ("windows", |voice, views| windows(voice, Shanghai, views, TODAY)),
        ("incident", |voice, _| incident(voice, None)),
        ("incident over", |voice, views| {
            incident_over(voice, Shanghai, views)
        }),
    ];

    fn voice(texts: &Texts, language: Language, channel: ChannelKind) -> Voice<'_> {
        Voice {
            texts,
            language,
            channel,
            sender_name: "社区通知",
        }
    }

    #[test]
    fn notices_of_every_kind_in_every_language() {
        let texts = Texts::load().expect("the built-in texts are whole");
        for language in Language::ALL {
            let mut out = String::new();
            for channel in ChannelKind::ALL {
                for (name, tell) in TELLERS {
                    let body = tell(&voice(&texts, language, channel), &[view(0)]);
                    let parts = sms_parts(&body.text);
                    let _ = writeln!(
                        out,
                        "== {name} by {}, {parts} SMS parts\n{}\n",
                        channel.as_str(),
                        body.text
                    );
                }
            }
            insta::assert_snapshot!(format!("notices-{}", language.code()), out);
        }
    }

    #[test]
    fn a_window_notice_takes_few_parts() {
        let texts = Texts::load().expect("the built-in texts are whole");
        for (name, tell) in TELLERS {
            for (language, parts_max) in [(Language::ZhHans, 2), (Language::ZhHant, 2), (Language::En, 3)] {
                let body = tell(&voice(&texts, language, ChannelKind::Sms), &[view(0)]);
                // A link is as long as half a part.
                let parts_max = parts_max + usize::from(name == "window with a link" || name == "call");
                assert!(body.text.starts_with("【社区通知】"));
                assert!(body.buttons.is_empty());
                assert!(sms_parts(&body.text) <= parts_max, "{name}: {}", body.text);
            }
        }
    }

    #[test]
    fn several_homes_share_a_message_and_one_home_is_told_once() {
        let texts = Texts::load().expect("the built-in texts are whole");
        let mut other = view(60);
        other.place.unit = "1单元".into();
        other.address = String::new();
        other.over_capacity = true;
        let views = [other, view(0), view(0)];
        let mut out = String::new();
        for channel in ChannelKind::ALL {
            let body = window_notice(&voice(&texts, Language::ZhHans, channel), Shanghai, &views, None);
            let _ = writeln!(out, "{}\n{:?}\n", body.text, body.buttons);
        }
        let telegram = voice(&texts, Language::ZhHans, ChannelKind::Telegram);
        let on_the_day = reminder(&telegram, Shanghai, &views[..1], TODAY + chrono::Days::new(1));
        let _ = writeln!(out, "{}\n", on_the_day.text);
        let _ = writeln!(out, "{}", windows(&telegram, Shanghai, &[], TODAY).text);
        insta::assert_snapshot!(out);
    }

    #[test]
    fn the_green_lane_is_said_beside_the_rest_of_the_home() {
        let texts = Texts::load().expect("the built-in texts are whole");
        let green = WindowView {
            lane: Lane::Green,
            ends_at: view(0).starts_at + TimeDelta::hours(5),
            ..view(-60)
        };
        for language in Language::ALL {
            let mut out = String::new();
            for channel in ChannelKind::ALL {
                let voice = voice(&texts, language, channel);
                for views in [vec![green.clone()], vec![view(0), green.clone()]] {
                    let body = window_notice(&voice, Shanghai, &views, None);
                    let parts = sms_parts(&body.text);
                    assert!(channel == ChannelKind::Telegram || parts <= 5, "{}", body.text);
                    let _ = writeln!(
                        out,
                        "== by {}, {parts} SMS parts\n{}\n",
                        channel.as_str(),
                        body.text
                    );
                }
            }
            insta::assert_snapshot!(format!("green-{}", language.code()), out);
        }
    }

    #[test]
    fn a_phone_of_very_many_homes_is_told_what_is_left_out() {
        let texts = Texts::load().expect("the built-in texts are whole");
        let views: Vec<_> = (0..300).map(view).collect();
        let body = window_notice(
            &voice(&texts, Language::En, ChannelKind::Telegram),
            Shanghai,
            &views,
            None,
        );
        assert!(body.text.contains("290 more are not listed"));
        assert!(body.text.chars().count() < 4096, "Telegram takes no more");
    }
}
