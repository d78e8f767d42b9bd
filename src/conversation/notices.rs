//! What people are told about their windows.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::{
    domain::{Body, ChannelKind, Language, UnitPlace},
    i18n::{Text, Texts, span},
};

use super::{
    Voice,
    menu::{Choice, Menu},
    places::short_place,
};

/// A window as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowView {
    /// Whose window.
    pub place: UnitPlace,
    /// Where to go.
    pub site_name: String,
    /// Its address; may be empty.
    pub address: String,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
    /// More people than the site can take in the time.
    pub over_capacity: bool,
    /// It is today for whoever reads this: only where the message cannot arrive on another day.
    pub today: bool,
}

/// So many windows are told in one message; the phone of a dormitory's warden may stand for hundreds.
const WINDOWS_TOLD_MAX: usize = 10;

/// Tells the windows of a round.
pub fn window_notice(
    texts: &Texts,
    language: Language,
    channel: ChannelKind,
    sender_name: &str,
    tz: Tz,
    windows: &[WindowView],
) -> Body {
    let voice = Voice {
        texts,
        language,
        channel,
        sender_name,
    };
    announce(
        &voice,
        tz,
        windows,
        &Text::WindowHeading,
        &[Text::OnTime, Text::WhatToBring],
    )
}

/// Reminds shortly before the window.
pub fn reminder(
    texts: &Texts,
    language: Language,
    channel: ChannelKind,
    sender_name: &str,
    tz: Tz,
    windows: &[WindowView],
) -> Body {
    let voice = Voice {
        texts,
        language,
        channel,
        sender_name,
    };
    announce(&voice, tz, windows, &Text::ReminderHeading, &[Text::WhatToBring])
}

/// Tells windows that have moved.
pub fn correction(
    texts: &Texts,
    language: Language,
    channel: ChannelKind,
    sender_name: &str,
    tz: Tz,
    windows: &[WindowView],
) -> Body {
    let voice = Voice {
        texts,
        language,
        channel,
        sender_name,
    };
    announce(
        &voice,
        tz,
        windows,
        &Text::CorrectionHeading,
        &[Text::WhatToBring],
    )
}

/// Answers "my window"; with no window, says so.
pub fn windows(
    texts: &Texts,
    language: Language,
    channel: ChannelKind,
    sender_name: &str,
    tz: Tz,
    windows: &[WindowView],
) -> Body {
    let voice = Voice {
        texts,
        language,
        channel,
        sender_name,
    };
    let mut lines = Vec::new();
    if windows.is_empty() {
        lines.push(voice.say(&Text::NoWindow));
    } else {
        lines.push(voice.say(&Text::WindowsHeading));
        lines.extend(told(&voice, tz, windows));
        lines.push(voice.say(&Text::WhatToBring));
    }
    if channel == ChannelKind::Sms {
        lines.push(voice.say(&Text::MenuHint));
    }
    voice.body(
        &lines,
        &for_telegram(&voice, (voice.say(&Text::MenuOpen), Choice::Menu)),
    )
}

/// A heading, the windows, what to heed, and how to stop.
fn announce(
    voice: &Voice<'_>,
    tz: Tz,
    windows: &[WindowView],
    heading: &Text<'_>,
    advice: &[Text<'_>],
) -> Body {
    let mut lines = vec![voice.say(heading)];
    lines.extend(told(voice, tz, windows));
    lines.extend(advice.iter().map(|text| voice.say(text)));
    lines.push(voice.say(&Text::StopHint));
    voice.body(
        &lines,
        &for_telegram(voice, (voice.say(&Text::MenuWindows), Choice::Windows)),
    )
}

/// One button where there are buttons; a text message has better use for its characters.
fn for_telegram(voice: &Voice<'_>, entry: (String, Choice)) -> Menu {
    match voice.channel {
        ChannelKind::Telegram => Menu::list(&[entry]),
        ChannelKind::Sms => Menu::default(),
    }
}

/// Each window once, the earliest first.
fn told(voice: &Voice<'_>, tz: Tz, windows: &[WindowView]) -> Vec<String> {
    let mut ordered: Vec<&WindowView> = windows.iter().collect();
    ordered.sort_by(|a, b| (a.starts_at, &a.place).cmp(&(b.starts_at, &b.place)));
    // Several residents of one unit share its window.
    ordered.dedup_by(|a, b| (a.starts_at, &a.place, &a.site_name) == (b.starts_at, &b.place, &b.site_name));
    let mut lines = Vec::new();
    for window in ordered.iter().take(WINDOWS_TOLD_MAX) {
        let place = short_place(&window.place);
        let time = span(voice.language, tz, window.starts_at, window.ends_at, window.today);
        let site = if window.address.is_empty() {
            window.site_name.clone()
        } else {
            voice.say(&Text::SiteWithAddress {
                site: &window.site_name,
                address: &window.address,
            })
        };
        let mut line = voice.say(&Text::WindowLine {
            place: &place,
            time: &time,
            site: &site,
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
pub(super) mod tests {
    use std::fmt::Write as _;

    use chrono::{TimeDelta, TimeZone};
    use chrono_tz::Asia::Shanghai;

    use super::*;

    /// The parts that a text message of this text takes, all in UCS-2.
    fn sms_parts(text: &str) -> usize {
        match text.encode_utf16().count() {
            0..=70 => 1,
            units => units.div_ceil(67),
        }
    }

    pub(in crate::conversation) fn view(minutes: i64) -> WindowView {
        let starts_at = Shanghai
            .with_ymd_and_hms(2022, 9, 3, 14, 10, 0)
            .single()
            .expect("exists")
            .to_utc()
            + TimeDelta::minutes(minutes);
        WindowView {
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
            today: false,
        }
    }

    type Teller = fn(&Texts, Language, ChannelKind, &str, Tz, &[WindowView]) -> Body;
    const TELLERS: [(&str, Teller); 4] = [
        ("window", window_notice),
        ("reminder", reminder),
        ("correction", correction),
        ("windows", windows),
    ];

    #[test]
    fn notices_of_every_kind_in_every_language() {
        let texts = Texts::load().expect("the built-in texts are whole");
        for language in Language::ALL {
            let mut out = String::new();
            for channel in ChannelKind::ALL {
                for (name, tell) in TELLERS {
                    let body = tell(&texts, language, channel, "社区通知", Shanghai, &[view(0)]);
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
                let body = tell(
                    &texts,
                    language,
                    ChannelKind::Sms,
                    "社区通知",
                    Shanghai,
                    &[view(0)],
                );
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
        other.today = true;
        let views = [other, view(0), view(0)];
        let mut out = String::new();
        for channel in ChannelKind::ALL {
            let body = window_notice(&texts, Language::ZhHans, channel, "社区通知", Shanghai, &views);
            let _ = writeln!(out, "{}\n{:?}\n", body.text, body.buttons);
        }
        let none = windows(
            &texts,
            Language::ZhHans,
            ChannelKind::Telegram,
            "社区通知",
            Shanghai,
            &[],
        );
        let _ = writeln!(out, "{}", none.text);
        insta::assert_snapshot!(out);
    }

    #[test]
    fn a_phone_of_very_many_homes_is_told_what_is_left_out() {
        let texts = Texts::load().expect("the built-in texts are whole");
        let views: Vec<_> = (0..300).map(view).collect();
        let body = window_notice(
            &texts,
            Language::En,
            ChannelKind::Telegram,
            "社区通知",
            Shanghai,
            &views,
        );
        assert!(body.text.contains("290 more are not listed"));
        assert!(body.text.chars().count() < 4096, "Telegram takes no more");
    }
}
