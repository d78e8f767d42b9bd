use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Asia::Shanghai;

use super::{contact::masked, *};
use crate::{
    config::CityConfig,
    conversation::places::{Places, tests::places},
    domain::{
        Body, Button, ChannelKind, CountedFrom, Need, Policy, Proof, ProofResult, Purpose, ResidentId,
        RoundId, SiteId,
    },
    i18n::{
        Texts,
        notices::{AskedWindows, asked_windows, tests::view, windows},
    },
    understanding::{Intent, Understood, slots},
};

/// What a person does, in a script.
#[derive(Clone, Copy)]
enum Act<'a> {
    Type(&'a str),
    /// The first button of the last message with buttons whose data begins so.
    Tap(&'a str),
    /// Data that no button on the screen carries.
    Forge(&'a str),
    Start(&'a str),
    /// The own contact card, and who is registered with its number.
    OwnCard(&'a [(i64, i64, &'a str)]),
    OthersCard,
    Photo,
    Block,
    Return,
    Wait(i64),
}

use Act::{Block, Forge, OthersCard, OwnCard, Photo, Return, Start, Tap, Type, Wait};

/// A person with a phone, and all that happens between them and the bot.
struct Script {
    channel: ChannelKind,
    places: Places,
    texts: Texts,
    city: CityConfig,
    person: Person,
    state: State,
    buttons: Vec<Button>,
    now: DateTime<Utc>,
    transcript: String,
    /// What the runner would find out.
    fetched: Vec<Fetched>,
    /// A talk with a worker is open.
    in_talk: bool,
}

const SMALL_CITY: [&str; 5] = [
    "锦江区/春熙街道/锦绣社区1/2栋/1单元",
    "锦江区/春熙街道/锦绣社区1/3栋/1单元",
    "锦江区/春熙街道/锦绣社区1/3栋/2单元",
    "锦江区/合江街道/望江社区2/1栋/1单元",
    "锦江区/合江街道/望江社区2/10栋/1单元",
];

impl Script {
    fn new(channel: ChannelKind, client_language: Option<Language>) -> Self {
        Self::within(places(&SMALL_CITY), channel, client_language)
    }

    fn within(places: Places, channel: ChannelKind, client_language: Option<Language>) -> Self {
        Self {
            channel,
            places,
            texts: Texts::load().expect("the built-in texts are whole"),
            city: CityConfig::default(),
            person: Person {
                client_language,
                ..Person::default()
            },
            state: State::default(),
            buttons: Vec::new(),
            now: view(0).starts_at,
            transcript: String::new(),
            fetched: Vec::new(),
            in_talk: false,
        }
    }

    fn play(mut self, acts: &[Act<'_>]) -> String {
        for act in acts {
            self.act(act);
        }
        self.transcript
    }

    fn act(&mut self, act: &Act<'_>) {
        let mut matches = None;
        let content = match *act {
            Type(text) => InboundContent::Text(text.into()),
            Tap(data) => InboundContent::Choice(self.button(data)),
            Forge(data) => InboundContent::Choice(data.into()),
            Start(code) => InboundContent::Start(code.into()),
            OwnCard(residents) => {
                matches = Some(
                    residents
                        .iter()
                        .map(|(resident, unit, name)| PhoneMatch {
                            resident: ResidentId(*resident),
                            unit: UnitId(*unit),
                            name: (*name).into(),
                        })
                        .collect::<Vec<_>>(),
                );
                InboundContent::Contact {
                    phone: "+8619900000001".into(),
                    own: true,
                }
            }
            OthersCard => InboundContent::Contact {
                phone: "+8619900000002".into(),
                own: false,
            },
            Photo => InboundContent::Other,
            Block => InboundContent::Membership { allowed: false },
            Return => InboundContent::Membership { allowed: true },
            Wait(minutes) => {
                self.now += TimeDelta::minutes(minutes);
                let _ = writeln!(self.transcript, "({minutes} minutes later)");
                return;
            }
        };
        let heard = match &content {
            InboundContent::Text(text) => text.clone(),
            InboundContent::Choice(data) => format!("[{data}]"),
            InboundContent::Start(code) => format!("/start {code}"),
            other => format!("({other:?})"),
        };
        let _ = writeln!(self.transcript, "> {heard}");
        let mut turn = self.turn(&content, matches.as_deref());
        if let Some(want) = &turn.wants {
            let _ = writeln!(self.transcript, "? {}", wanted(want));
            assert!(turn.replies.is_empty(), "it is no turn yet");
            let fetched = self.fetched.remove(0);
            turn = self.turn_knowing(&content, matches.as_deref(), Some(&fetched));
            assert_eq!(turn.wants, None);
        }
        self.show(turn, matches.as_deref().unwrap_or_default());
    }

    fn turn(&self, content: &InboundContent, phone_matches: Option<&[PhoneMatch]>) -> Turn {
        self.turn_knowing(content, phone_matches, None)
    }

    fn turn_knowing(
        &self,
        content: &InboundContent,
        phone_matches: Option<&[PhoneMatch]>,
        fetched: Option<&Fetched>,
    ) -> Turn {
        let known = Known {
            channel: self.channel,
            person: &self.person,
            places: &self.places,
            texts: &self.texts,
            city: &self.city,
            sender_name: "社区通知",
            phone_matches,
            fetched,
            fresh_code: "4821",
            in_talk: self.in_talk,
            kept_days: 30,
            understand: &understood,
            answer: &|_, intent| (intent == Intent::GreenLane).then(|| "采样点设有绿色通道。".to_owned()),
            now: self.now,
        };
        step(&known, &self.state, content)
    }

    fn show(&mut self, turn: Turn, matches: &[PhoneMatch]) {
        for effect in turn.effects {
            let _ = writeln!(self.transcript, "* {effect:?}");
            match effect {
                Effect::SetLanguage(language) => self.person.language = Some(language),
                Effect::Stop | Effect::StopEverywhere => self.person.stopped = true,
                Effect::Start => self.person.stopped = false,
                Effect::SetHome(unit) => self.person.home = Some(unit),
                Effect::Unlink => self.person.residents.clear(),
                Effect::OpenTalk { .. } => self.in_talk = true,
                Effect::AddToTalk { .. } => {}
                Effect::CloseTalk => self.in_talk = false,
                Effect::Forget => {
                    self.in_talk = false;
                    self.person = Person::default();
                }
                Effect::Link(resident) => {
                    let unit = matches
                        .iter()
                        .find(|one| one.resident == resident)
                        .map_or(UnitId(3), |one| one.unit);
                    self.person.residents.push(PersonResident { resident, unit });
                }
            }
        }
        for reply in turn.replies {
            let body = match reply {
                Reply::Say(body) => body,
                Reply::Windows => self.windows(),
                Reply::WindowsOf(unit) => self.windows_of(unit),
            };
            let _ = writeln!(self.transcript, "{}", body.text);
            for row in &body.buttons {
                let labels = row.iter().map(|button| match button {
                    Button::Choice { label, .. } | Button::Link { label, .. } => format!("[{label}]"),
                    Button::ShareContact { label } => format!("[☎ {label}]"),
                });
                let _ = writeln!(self.transcript, "    {}", labels.collect::<Vec<_>>().join(" "));
            }
            self.buttons = body.buttons.into_iter().flatten().collect();
        }
        self.transcript.push('\n');
        let stored = turn.state.to_stored();
        assert_eq!(
            State::from_stored(&stored),
            turn.state,
            "a state survives its storing"
        );
        self.state = turn.state;
    }

    /// The runner's part: unit 3 has a window.
    fn windows(&self) -> Body {
        let language = self.person.language.unwrap_or_default();
        let home = self
            .person
            .home
            .or(self.person.residents.first().map(|resident| resident.unit));
        let views: Vec<_> = (home == Some(UnitId(3))).then(|| view(0)).into_iter().collect();
        let voice = Voice {
            texts: &self.texts,
            language,
            channel: self.channel,
            sender_name: "社区通知",
        };
        windows(&voice, Shanghai, &views, chrono::NaiveDate::MIN)
    }

    /// The same of any unit.
    fn windows_of(&self, unit: UnitId) -> Body {
        let views: Vec<_> = (unit == UnitId(3)).then(|| view(0)).into_iter().collect();
        let voice = Voice {
            texts: &self.texts,
            language: self.person.language.unwrap_or_default(),
            channel: self.channel,
            sender_name: "社区通知",
        };
        let place = self.places.place(unit);
        let asked = AskedWindows {
            windows: &views,
            missed: &[],
            of: place.as_ref(),
            maps: &[],
            today: chrono::NaiveDate::MIN,
        };
        asked_windows(&voice, Shanghai, &asked)
    }

    fn button(&self, wanted: &str) -> String {
        let mut datas = self.buttons.iter().filter_map(|button| match button {
            Button::Choice { data, .. } => Some(data),
            _ => None,
        });
        datas
            .find(|data| data.starts_with(wanted))
            .expect("the button is on the screen")
            .clone()
    }
}

/// A reader of a few messages, in place of the trained one.
fn understood(text: &str, _language: Language) -> Understood {
    let (intent, urgent) = match text {
        "绿色通道怎么走" => (Intent::GreenLane, false),
        "我的证明还算数吗" => (Intent::CheckPassValidity, false),
        "我发烧了怎么办" => (Intent::Human, false),
        "什么时候轮到3栋2单元做啊" => (Intent::FindTimeWindow, false),
        "别再烦我了" => (Intent::OptOut, false),
        "菜涨价了" => (Intent::PriceGougingReport, false),
        "急诊现在开着吗" => (Intent::EmergencyCare, false),
        "有人要打我" | "fire in building 3 unit 2" => (Intent::Human, true),
        _ if text.contains("请上门") || text.contains("請上門") || text.contains("please come") => {
            (Intent::HomeSamplingApply, false)
        }
        "他们什么时候来" => (Intent::HomeSamplingStatus, false),
        _ => (Intent::None, false),
    };
    let slots = slots::read(text);
    Understood {
        intent,
        score: 1.0,
        urgent,
        slots,
    }
}

fn wanted(want: &Want) -> String {
    match want {
        Want::Pass(of) => format!("pass of {of:?}"),
        Want::OtherTimes(of) => format!("other times of {of:?}"),
        Want::Take(offer) => format!("take {}", offer.starts_at.format("%H:%M")),
        Want::Visits => "visits".into(),
        Want::AskVisit(request) => format!(
            "ask for {} people: {} of {} at {:?} {}, because {}, note {:?}, phone {:?}, wish {:?}",
            request.people,
            request.name,
            request.for_whom,
            request.unit,
            request.door,
            request.reason,
            request.access,
            request.phone,
            request.wish.map(|wish| (
                wish.from.with_timezone(&Shanghai),
                wish.to.with_timezone(&Shanghai)
            ))
        ),
        Want::ChangeVisit(visit, edit) => format!("{edit:?} of visit {visit}"),
    }
}

/// The view's time, some minutes later.
fn time_at(minutes: i64) -> Time {
    let view = view(minutes);
    Time {
        starts_at: view.starts_at,
        ends_at: view.ends_at,
        site: view.site_name,
        place: view.place.within_community(),
    }
}

fn offers(minutes: &[i64], gone: bool) -> Fetched {
    let offer = |minutes: &i64| {
        let time = time_at(*minutes);
        let offer = TimeOffer {
            round: RoundId(1),
            unit: UnitId(3),
            site: SiteId(1),
            starts_at: time.starts_at,
            ends_at: time.ends_at,
        };
        (offer, time)
    };
    Fetched::Offers {
        instead_of: time_at(0),
        offers: minutes.iter().map(offer).collect(),
        gone,
    }
}

#[test]
fn another_time_is_offered_and_taken() {
    for language in Language::ALL {
        let mut transcript = String::new();
        for channel in ChannelKind::ALL {
            let mut script = Script::new(channel, None);
            script.now -= TimeDelta::hours(20);
            script.person.language = Some(language);
            script.person.residents = vec![PersonResident {
                resident: ResidentId(7),
                unit: UnitId(3),
            }];
            let several = vec![
                (RoundId(1), UnitId(3), time_at(0)),
                (RoundId(1), UnitId(2), time_at(30)),
            ];
            script.fetched = vec![
                Fetched::Which(several),
                offers(&[30, 60, 200], false),
                offers(&[60, 200], true),
                Fetched::Taken,
                offers(&[], false),
                Fetched::TooNear(time_at(0)),
                Fetched::NothingToChange,
                Fetched::NotProven,
            ];
            let take: &[Act<'_>] = match channel {
                ChannelKind::Telegram => &[Tap("take:0"), Tap("take:1")],
                ChannelKind::Sms => &[Type("1"), Type("0000"), Type("4821"), Type("2"), Type("4821")],
            };
            let again = "换时间";
            transcript += &script.play(
                &[
                    &[Type(again), Type("1")],
                    take,
                    &[Type(again), Type("other time"), Type(again), Type(again)],
                ]
                .concat(),
            );
        }
        insta::assert_snapshot!(format!("other-time-{}", language.code()), transcript);
    }
}

#[test]
fn a_forged_or_old_choice_takes_nothing() {
    let script = Script::new(ChannelKind::Telegram, Some(Language::ZhHans));
    for data in ["take:0", "take:99", "other_time:5"] {
        let turn = script.turn(&InboundContent::Choice(data.into()), None);
        assert_eq!(turn.wants, Some(Want::OtherTimes(None)), "{data}");
    }
}

const TELEGRAM_ACTS: [Act<'_>; 25] = [
    Start(""),
    Type("99栋"),
    Tap("community:1"),
    Type("3"),
    Tap("unit:3"),
    OthersCard,
    OwnCard(&[(7, 3, "陈桂英"), (8, 3, "王强"), (9, 5, "John Smith")]),
    Type("?"),
    Tap("resident:7"),
    Tap("not_me"),
    Tap("windows"),
    Tap("menu"),
    Tap("languages"),
    Type("语言"),
    Type("什么是黑洞?"),
    Photo,
    Type("我妈晕倒了"),
    Type("人工"),
    Tap("done"),
    Tap("stop"),
    Type("START"),
    Tap("home"),
    Tap("community:4"),
    Tap("building:5"),
    Tap("later"),
];

#[test]
fn telegram_from_greeting_to_later() {
    for language in Language::ALL {
        let mut script = Script::new(ChannelKind::Telegram, Some(language));
        script.city.emergency_number = "120".into();
        insta::assert_snapshot!(
            format!("telegram-{}", language.code()),
            script.play(&TELEGRAM_ACTS)
        );
    }
}

const SMS_ACTS: [Act<'_>; 26] = [
    Type("0"),
    Type("3"),
    Type("55"),
    Type("2"),
    Type("9"),
    Type("什么是黑洞?"),
    Type("2"),
    Type("1"),
    Type("3"),
    Type("望江 10栋"),
    Type("1111"),
    Type("改地址"),
    Type("望江 10栋"),
    Wait(11),
    Type("4821"),
    Type("改地址"),
    Type("望江社区2 10栋"),
    Type("4821"),
    Type("4"),
    Type("0"),
    Type("120"),
    Photo,
    Type("td"),
    Type("时间"),
    Type("不是我"),
    Type("订阅"),
];

#[test]
fn sms_from_greeting_to_stop() {
    for (language, hello) in [
        (Language::ZhHans, "你好"),
        (Language::ZhHant, "繁體"),
        (Language::En, "hello"),
    ] {
        let mut script = Script::new(ChannelKind::Sms, None);
        script.act(&Type(hello));
        insta::assert_snapshot!(format!("sms-{}", language.code()), script.play(&SMS_ACTS));
    }
}

#[test]
fn a_phone_on_the_roster_goes_straight_to_its_window() {
    let mut script = Script::new(ChannelKind::Sms, None);
    script.person.language = Some(Language::ZhHans);
    script.person.residents = vec![PersonResident {
        resident: ResidentId(7),
        unit: UnitId(3),
    }];
    insta::assert_snapshot!(script.play(&[
        Type("你好"),
        Type("1"),
        Type("退订"),
        Type("全部退订"),
        Type("4821"),
        Type("START"),
    ]));
}

#[test]
fn a_door_code_sets_the_home_at_once() {
    insta::assert_snapshot!(Script::new(ChannelKind::Telegram, Some(Language::ZhHans)).play(&[
        Start("XYZ"),
        Start("c3"),
        OwnCard(&[]),
        Start("C4"),
        OwnCard(&[(7, 3, "陈英")]),
        Tap("stop"),
        Tap("stop_everywhere"),
        Block,
        Return,
        Start(""),
    ]));
}

#[test]
fn a_large_city_is_narrowed_page_by_page() {
    let paths: Vec<String> = (1..=60)
        .map(|n| {
            format!(
                "{}/{}街道/和平社区{n}/{}栋/1单元",
                ["锦江区", "武侯区"][n % 2],
                n % 3,
                n % 7
            )
        })
        .collect();
    let city = places(&paths.iter().map(String::as_str).collect::<Vec<_>>());
    insta::assert_snapshot!(
        Script::within(city, ChannelKind::Telegram, Some(Language::ZhHans)).play(&[
            Type("你好"),
            Tap("district"),
            Tap("street"),
            Tap("page:1"),
            Tap("page:0"),
            Type("和平 3栋"),
            Type("English"),
            Type("武侯区 和平 4栋"),
            Type("和平社区7 1单元"),
        ])
    );
}

#[test]
fn strange_input_is_answered_calmly() {
    let mut script = Script::new(ChannelKind::Telegram, Some(Language::ZhHans));
    script.person.home = Some(UnitId(3));
    let long = "长".repeat(4096);
    insta::assert_snapshot!(script.play(&[
        Forge("resident:7"),
        Forge("unit:99"),
        Forge("building:99"),
        Forge("page:99999"),
        Forge("page:18446744073709551615:community:1"),
        Forge("<script>"),
        Type(""),
        Type("\u{0}\u{7}\u{1b}[31m"),
        Type("\u{202e}\u{200f}ابدأ"),
        Type("👍"),
    ]));
    let script = Script::new(ChannelKind::Sms, None);
    let turn = script.turn(&InboundContent::Text(long), None);
    assert_eq!(turn.replies.len(), 1);
}

#[test]
fn a_state_of_another_version_is_idle() {
    for stored in [
        "",
        "{",
        "{\"step\":\"dreaming\"}",
        "{\"step\":{\"home\":{\"within\":7}}}",
    ] {
        assert_eq!(State::from_stored(stored).step, Step::Idle, "{stored}");
    }
    let newer = "{\"step\":{\"home\":{\"within\":null,\"mood\":1}},\"options\":[\"menu\"],\"more\":true}";
    assert_eq!(State::from_stored(newer).step, Step::Home { within: None });
    assert_eq!(State::from_stored("{}"), State::default());
}

#[test]
fn every_text_message_names_its_sender() {
    let mut script = Script::new(ChannelKind::Sms, None);
    for act in &SMS_ACTS {
        let Type(text) = act else { continue };
        let turn = script.turn(&InboundContent::Text((*text).into()), None);
        for reply in &turn.replies {
            if let Reply::Say(body) = reply {
                assert!(
                    body.text.starts_with("【社区通知】") && body.buttons.is_empty(),
                    "{}",
                    body.text
                );
            }
        }
        script.show(turn, &[]);
    }
}

#[test]
fn any_message_in_any_state_is_answered_in_whole_sentences() {
    use proptest::prelude::*;
    let text = prop_oneof![
        "\\PC{0,40}",
        "[0-9]{1,4}",
        "(锦绣|望江|社区|[0-9]|栋|单元| ){1,8}",
        any::<String>()
    ];
    for channel in ChannelKind::ALL {
        let mut script = Script::new(channel, None);
        for stored in [
            "{}",
            "{\"step\":\"idle\"}",
            "{\"step\":{\"home\":{\"within\":{\"level\":\"community\",\"unit\":1}}}}",
            r#"{"step":{"visit":{"at":"whom","within":null,"of":null}},"visit":{}}"#,
            r#"{"step":{"visit":{"at":"where","within":null,"of":null}},"visit":{"for_whom":"family","name":"a"}}"#,
            r#"{"step":{"visit":{"at":"when","within":null,"of":9}}}"#,
            r#"{"step":"visit_summary","visit":{"for_whom":"family","name":"a","unit":3,"door":"1","named":"2"}}"#,
        ] {
            script.state = State::from_stored(stored);
            prop_state(&script.state, stored);
            proptest!(ProptestConfig::with_cases(64), |(text in text.clone(), is_data in any::<bool>())| {
                let content = if is_data { InboundContent::Choice(text) } else { InboundContent::Text(text) };
                let mut turn = script.turn(&content, None);
                if let Some(want) = &turn.wants {
                    turn = script.turn_knowing(&content, None, Some(&visits::found(want)));
                }
                prop_assert!(!turn.replies.is_empty());
                for reply in turn.replies {
                    if let Reply::Say(body) = reply {
                        let is_whole = !body.text.contains('{') && body.text.chars().count() < 1000;
                        prop_assert!(is_whole);
                    }
                }
            });
        }
    }
}

/// The stored state is one that this version knows.
fn prop_state(state: &State, stored: &str) {
    assert!(
        stored == r#"{"step":"idle"}"# || state.step != Step::Idle,
        "{stored}"
    );
}

#[test]
fn names_are_masked() {
    for (name, shown) in [
        ("陈桂英", "陈*英"),
        ("陈英", "陈*"),
        ("欧阳娜娜", "欧**娜"),
        ("陈", "陈*"),
        ("", "*"),
        ("John Smith", "J***"),
    ] {
        assert_eq!(masked(name), shown);
    }
}

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).expect("an instant").to_utc()
}

/// A negative test of 2 September, and the rules of 3 September.
fn proofs(counted_from: Option<CountedFrom>) -> FoundProofs {
    let rule = |id: &str, purposes: &[Purpose], needs: &[Need]| Policy {
        id: id.into(),
        purposes: purposes.to_vec(),
        hours: 48,
        counted_from,
        needs: needs.to_vec(),
        from: at("2022-09-03T00:00:00+08:00"),
        to: None,
        source: String::new(),
    };
    FoundProofs::Known {
        proofs: vec![Proof {
            sampled_at: at("2022-09-02T10:00:00+08:00"),
            result: ProofResult::Negative,
            reported_at: Some(at("2022-09-02T22:30:00+08:00")),
        }],
        policies: vec![
            rule(
                "48h",
                &[Purpose::Gate, Purpose::PublicTransport],
                &[Need::EntryCard, Need::EPass],
            ),
            rule("48h-hospital", &[Purpose::Hospital], &[]),
        ],
    }
}

/// These tests, by the rules that do not say from when.
fn only(tests: &[Proof]) -> FoundProofs {
    let FoundProofs::Known { policies, .. } = proofs(None) else {
        unreachable!("they are known")
    };
    FoundProofs::Known {
        proofs: tests.to_vec(),
        policies,
    }
}

fn of_chen(found: FoundProofs) -> Fetched {
    Fetched::Proofs {
        name: "陈*英".into(),
        found,
    }
}

#[test]
fn a_pass_is_told_by_the_rule_and_never_guessed() {
    for language in Language::ALL {
        let mut transcript = String::new();
        for channel in ChannelKind::ALL {
            let mut script = Script::new(channel, None);
            script.person.language = Some(language);
            script.person.residents = [7, 8]
                .map(|resident| PersonResident {
                    resident: ResidentId(resident),
                    unit: UnitId(3),
                })
                .to_vec();
            script.fetched = vec![
                Fetched::Whose(vec![
                    (ResidentId(7), UnitId(3), "陈*英".into()),
                    (ResidentId(8), UnitId(3), "王*".into()),
                ]),
                of_chen(proofs(Some(CountedFrom::SampledAt))),
                of_chen(proofs(Some(CountedFrom::ReportedAt))),
                of_chen(proofs(None)),
                of_chen(FoundProofs::Unavailable),
                of_chen(FoundProofs::Unknown),
                of_chen(FoundProofs::NoReference),
                of_chen(only(&[Proof {
                    sampled_at: at("2022-09-02T10:00:00+08:00"),
                    result: ProofResult::Positive,
                    reported_at: Some(at("2022-09-02T22:30:00+08:00")),
                }])),
                of_chen(only(&[])),
                of_chen(proofs(Some(CountedFrom::SampledAt))),
            ];
            let pick = match channel {
                ChannelKind::Telegram => Tap("pass:7"),
                ChannelKind::Sms => Type("1"),
            };
            let ask = Type("通行证明");
            transcript += &script.play(&[
                ask,
                pick,
                ask,
                ask,
                Type("结束"),
                ask,
                ask,
                Type("结束"),
                ask,
                Type("结束"),
                ask,
                Type("结束"),
                ask,
                Wait(40 * 60),
                Type("我的证明还算数吗"),
            ]);
        }
        for message in transcript
            .split("\n\n")
            .filter(|one| one.contains("【社区通知】"))
        {
            let text = &message[message.find('【').unwrap_or_default()..];
            let units = text.encode_utf16().count();
            // Two parts, and three in English where both times are told.
            let parts_max = if language == Language::En { 5 } else { 2 };
            assert!(units <= 67 * parts_max, "{units}: {text}");
        }
        insta::assert_snapshot!(format!("pass-{}", language.code()), transcript);
    }
}

#[test]
fn a_pass_is_told_to_nobody_else() {
    let mut script = Script::new(ChannelKind::Sms, Some(Language::ZhHans));
    let turn = script.turn(&InboundContent::Choice("pass:7".into()), None);
    assert_eq!(turn.wants, None, "nobody is proven to be behind this number");
    script.person.residents = vec![PersonResident {
        resident: ResidentId(8),
        unit: UnitId(3),
    }];
    let turn = script.turn(&InboundContent::Choice("pass:7".into()), None);
    assert_eq!(turn.wants, Some(Want::Pass(None)), "a forged button names nobody");
}

const QUESTIONS: [Act<'_>; 24] = [
    Type("绿色通道怎么走"),
    Type("3栋2单元"),
    Type("望江社区2 10栋"),
    Type("什么时候轮到3栋2单元做啊"),
    Type("什么是黑洞?"),
    Type("别再烦我了"),
    Type("急诊现在开着吗"),
    Type("菜涨价了"),
    Type("白菜十块一斤"),
    Photo,
    Photo,
    Type("时段"),
    Type("结束"),
    Type("我发烧了怎么办"),
    Type("done"),
    Type("人工"),
    Type("有人要打我"),
    Type("结束"),
    Type("我妈晕倒了"),
    Type("结束"),
    Type("隐私"),
    Type("删除我的信息"),
    Type("4821"),
    Type("你好"),
];

#[test]
fn a_question_is_answered_or_handed_over() {
    for language in Language::ALL {
        let mut transcript = String::new();
        for channel in ChannelKind::ALL {
            let mut script = Script::new(channel, None);
            script.city.emergency_number = "120".into();
            script.person.language = Some(language);
            script.person.home = Some(UnitId(3));
            let mut acts = QUESTIONS;
            if channel == ChannelKind::Telegram {
                acts[22] = Tap("forget_yes");
            }
            transcript += &script.play(&acts);
        }
        insta::assert_snapshot!(format!("questions-{}", language.code()), transcript);
    }
}

#[test]
fn a_newcomers_question_is_answered_first() {
    let mut transcript = String::new();
    for channel in ChannelKind::ALL {
        let script = Script::new(channel, Some(Language::ZhHans));
        transcript += &script.play(&[
            Type("绿色通道怎么走"),
            Type("我的证明还算数吗"),
            Type("什么时候轮到3栋2单元做啊"),
        ]);
    }
    insta::assert_snapshot!(transcript);
}

#[path = "visit/tests.rs"]
mod visits;
