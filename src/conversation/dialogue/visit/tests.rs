//! Visits at home, as a person asks for them, sees them, changes them and calls them off.

use super::*;
use crate::domain::{
    CommunityId, ContactId, PhoneNumber, Promise, TeamId, UnitPlace, Visit, VisitFor, VisitId, VisitState,
    Visitor, VisitorRole,
};

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).expect("an invented number")
}

fn visit(state: VisitState) -> Visit {
    let from = view(0).starts_at;
    let has_time = matches!(state, VisitState::Scheduled | VisitState::OnTheWay);
    Visit {
        id: VisitId(9),
        state,
        revision: 2,
        unit: UnitId(3),
        place: UnitPlace {
            district: "锦江区".into(),
            street: "春熙街道".into(),
            community: "锦绣社区1".into(),
            building: "3栋".into(),
            unit: "2单元".into(),
        },
        community: CommunityId(1),
        coordinates: None,
        asker: Some(ContactId(1)),
        proven: true,
        urgent: false,
        people: 1,
        wish: None,
        team: None,
        promise: has_time.then(|| Promise {
            team: TeamId(1),
            at: from,
            from,
            to: from + TimeDelta::hours(1),
        }),
        raised: None,
        asked_at: from,
        changed_at: from,
        moves: 0,
        declined: None,
        lapsed: false,
        door: "1203".into(),
        for_whom: VisitFor::Family,
        name: "陈桂英".into(),
        reason: "走不动".into(),
        access: String::new(),
        phone: None,
        visitor: Some(Visitor {
            name: "小王".into(),
            role: VisitorRole::Nurse,
            worker: None,
        }),
        door_code: "0472".into(),
    }
}

fn own(state: VisitState, of_household: bool) -> OwnVisit {
    OwnVisit {
        visit: visit(state),
        of_household,
    }
}

/// What the runner finds out.
fn known(visits: Vec<OwnVisit>, people: &[&str], phone: bool) -> Fetched {
    Fetched::Visits(KnownVisits {
        visits,
        people: people
            .iter()
            .map(|name| HouseholdPerson {
                name: (*name).into(),
                unit: UnitId(3),
                door: "1203".into(),
            })
            .collect(),
        phone: phone.then(|| number("+8619900000001")),
    })
}

fn asked(state: VisitState, before: bool) -> Fetched {
    let outcome = if before {
        VisitOutcome::Known
    } else {
        VisitOutcome::New
    };
    came_of(state, outcome)
}

fn came_of(state: VisitState, outcome: VisitOutcome) -> Fetched {
    Fetched::VisitAsked {
        own: Box::new(own(state, state != VisitState::Asked)),
        outcome,
    }
}

fn changed(state: VisitState, done: bool) -> Fetched {
    Fetched::VisitChanged {
        own: Some(Box::new(own(state, true))),
        done,
    }
}

/// What the runner would find, whatever is wanted.
pub(super) fn found(want: &Want) -> Fetched {
    match want {
        Want::AskVisit(_) => asked(VisitState::Asked, false),
        Want::ChangeVisit(..) => changed(VisitState::Accepted, true),
        Want::Visits => known(vec![own(VisitState::Accepted, true)], &["陈桂英"], true),
        _ => Fetched::NotProven,
    }
}

/// Someone who has been here before.
fn script(channel: ChannelKind, language: Language, fetched: Vec<Fetched>) -> Script {
    let mut script = Script::new(channel, None);
    script.person.language = Some(language);
    script.state = State::from_stored(r#"{"step":"idle"}"#);
    script.fetched = fetched;
    script
}

/// Plays on each channel in each language, and keeps what was said for reading.
fn on_both(
    name: &str,
    acts: impl Fn(ChannelKind) -> Vec<Act<'static>>,
    fetched: impl Fn(ChannelKind) -> Vec<Fetched>,
) {
    for language in Language::ALL {
        let mut transcript = String::new();
        for channel in ChannelKind::ALL {
            let _ = writeln!(transcript, "==== {}", channel.as_str());
            transcript += &script(channel, language, fetched(channel)).play(&acts(channel));
        }
        insta::assert_snapshot!(format!("{name}-{}", language.code()), transcript);
    }
}

/// The notices of a visit say: to change or cancel, reply 上门 or VISIT, or press the button.
#[test]
fn the_word_and_the_button_ask_for_the_visits() {
    let text = |text: &str| InboundContent::Text(text.into());
    for (channel, content) in [
        (ChannelKind::Sms, text("上门")),
        (ChannelKind::Sms, text("Visit.")),
        (ChannelKind::Telegram, text("上門")),
        (
            ChannelKind::Telegram,
            InboundContent::Choice(crate::i18n::visits::ASK_VISITS.into()),
        ),
    ] {
        for in_talk in [false, true] {
            let mut script = script(channel, Language::ZhHans, vec![]);
            script.in_talk = in_talk;
            assert_eq!(script.turn(&content, None).wants, Some(Want::Visits));
        }
    }
}

/// While a worker speaks with the person, the bot answers what it is asked by name, and nothing else.
#[test]
fn in_a_talk_the_word_shows_the_visit_and_other_words_go_to_the_worker() {
    let shown = known(vec![own(VisitState::Scheduled, true)], &[], true);
    let mut script = script(ChannelKind::Sms, Language::ZhHans, vec![shown]);
    script.in_talk = true;
    let said = script.play(&[Type("上门"), Type("谢谢"), Type("妈妈走不动,请上门")]);
    assert!(said.contains("0472"), "{said}");
    assert!(
        said.ends_with("> 妈妈走不动,请上门\n* AddToTalk { urgent: false }\n\n"),
        "{said}"
    );
}

#[test]
fn a_stranger_asks_in_six_steps_and_is_called_back() {
    let acts = |channel| {
        let mut acts = match channel {
            ChannelKind::Telegram => vec![
                Type("上门"),
                Tap("v:for:neighbour"),
                Type("李秀英"),
                Tap("v:area:community:1"),
                Tap("v:area:building:2"),
                Tap("v:area:unit:3"),
                Type("1203"),
                Tap("v:why:0"),
                Tap("v:when:"),
                Type("+86 199 0000 0002，家里有狗"),
                Tap("v:send"),
            ],
            ChannelKind::Sms => vec![
                Type("上门"),
                Type("3"),
                Type("李秀英"),
                Type("锦绣社区1 3栋2单元1203"),
                Type("1"),
                Type("明天下午3点"),
                Type("没有电梯，三楼"),
                Type("4821"),
            ],
        };
        acts.push(Type("?"));
        acts
    };
    on_both("visit-stranger", acts, |channel| {
        vec![
            known(vec![], &[], channel == ChannelKind::Sms),
            asked(VisitState::Asked, false),
        ]
    });
}

#[test]
fn a_household_chooses_a_name_and_says_why_and_when() {
    let acts = |channel| match channel {
        ChannelKind::Telegram => vec![
            Type("VISIT"),
            Tap("v:who:1"),
            Tap("v:why:2"),
            Tap("v:when:"),
            Tap("v:note:0"),
            Tap("v:fix"),
            Tap("v:fix:phone"),
            Type("199 0000 0003"),
            Tap("v:send"),
        ],
        ChannelKind::Sms => vec![
            Type("visit"),
            Type("2"),
            Type("3"),
            Type("1"),
            Type("4"),
            Type("1"),
            Type("5"),
            Type("199 0000 0003"),
            Type("0000"),
            Type("4821"),
        ],
    };
    on_both("visit-household", acts, |_| {
        vec![
            known(vec![], &["陈桂英", "王强"], true),
            asked(VisitState::Accepted, false),
        ]
    });
}

#[test]
fn one_sentence_fills_what_it_says() {
    let acts = |channel| {
        let mut acts = vec![
            Type("妈妈走不动,3栋2单元1203,请上门"),
            Type("陈桂英"),
            Type("都可以"),
        ];
        acts.extend(match channel {
            ChannelKind::Telegram => [Tap("v:no_note"), Tap("v:send")],
            ChannelKind::Sms => [Type("没有"), Type("4821")],
        });
        acts
    };
    on_both("visit-sentence", acts, |_| {
        vec![known(vec![], &[], true), asked(VisitState::Asked, false)]
    });
}

#[test]
fn a_sentence_in_the_middle_is_read_as_one() {
    let said = script(ChannelKind::Sms, Language::ZhHans, vec![known(vec![], &[], true)]).play(&[
        Type("上门"),
        Type("2"),
        Type("妈妈李秀英走不动,3栋2单元1203,明天上午请上门"),
        Type("李秀英"),
    ]);
    let last = said.rsplit("> ").next().unwrap_or_default();
    assert!(last.contains("上门要注意什么"), "{said}");
}

#[test]
fn a_request_waits_while_something_else_is_asked() {
    let acts = |channel| {
        let mut acts = vec![
            Type("上门"),
            Type("绿色通道怎么走"),
            Type("我妈妈叫李秀英"),
            Type("0"),
            Type("返回"),
            Type("王芳"),
            Type("菜单"),
            Type("上门"),
            Type("时段"),
            Wait(600),
            Photo,
            Type("上门"),
            Type("English"),
            Type("99栋"),
            Type("我妈晕倒了"),
            Type("谢谢你们"),
            Type("结束"),
        ];
        acts.push(match channel {
            ChannelKind::Telegram => Tap("v:go_on"),
            ChannelKind::Sms => Type("上门"),
        });
        acts.extend([Type("算了"), Type("上门")]);
        acts
    };
    on_both("visit-waits", acts, |channel| {
        let visits = match channel {
            ChannelKind::Telegram => 4,
            ChannelKind::Sms => 5,
        };
        (0..visits).map(|_| known(vec![], &[], true)).collect()
    });
}

#[test]
fn a_visit_is_shown_changed_and_called_off() {
    let acts = |channel| match channel {
        ChannelKind::Telegram => vec![
            Type("上门"),
            Tap("v:move:9"),
            Tap("v:when:"),
            Tap("visits"),
            Tap("v:phone:9"),
            Type("不知道"),
            Type("199 0000 0003"),
            Type("他们什么时候来"),
            Tap("v:access:9"),
            Tap("v:back"),
            Tap("v:access:9"),
            Tap("v:note:1"),
            Tap("visits"),
            Tap("v:cancel:9"),
        ],
        ChannelKind::Sms => vec![
            Type("上门"),
            Type("1"),
            Type("明天上午"),
            Type("4821"),
            Type("上门"),
            Type("2"),
            Type("不知道"),
            Type("199 0000 0003"),
            Type("4821"),
            Type("他们什么时候来"),
            Type("3"),
            Type("0"),
            Type("3"),
            Type("2"),
            Type("4821"),
            Type("上门"),
            Type("4"),
            Type("1111"),
            Type("4821"),
        ],
    };
    on_both("visit-change", acts, |_| {
        let shown = || known(vec![own(VisitState::Scheduled, true)], &["陈桂英"], true);
        vec![
            shown(),
            changed(VisitState::Accepted, true),
            shown(),
            changed(VisitState::Scheduled, true),
            shown(),
            shown(),
            changed(VisitState::OnTheWay, true),
            shown(),
            changed(VisitState::Cancelled, true),
        ]
    });
}

#[test]
fn each_state_is_shown_with_what_can_be_done() {
    for language in Language::ALL {
        let mut transcript = String::new();
        for channel in ChannelKind::ALL {
            for state in VisitState::ALL {
                let shown = known(vec![own(*state, true)], &[], true);
                let _ = writeln!(transcript, "==== {} by {}", state, channel.as_str());
                transcript += &script(channel, language, vec![shown]).play(&[Type("他们什么时候来")]);
            }
        }
        insta::assert_snapshot!(format!("visit-states-{}", language.code()), transcript);
    }
}

#[test]
fn after_nobody_was_met_another_visit_is_one_step_away() {
    let missed = || known(vec![own(VisitState::Missed, true)], &[], true);
    let said = script(
        ChannelKind::Telegram,
        Language::ZhHans,
        vec![missed(), changed(VisitState::Asked, true)],
    )
    .play(&[Type("上门"), Tap("v:again:9")]);
    assert!(said.contains("ask again of visit 9"), "{said}");
    let said = script(
        ChannelKind::Sms,
        Language::ZhHans,
        vec![missed(), changed(VisitState::Asked, true)],
    )
    .play(&[Type("上门"), Type("1"), Type("4821")]);
    assert!(said.contains("ask again of visit 9"), "{said}");
}

#[test]
fn by_text_message_nothing_is_changed_without_the_code() {
    for data in ["v:cancel:9", "v:again:9"] {
        let script = script(ChannelKind::Sms, Language::ZhHans, vec![]);
        let turn = script.turn(&InboundContent::Choice(data.into()), None);
        assert_eq!(turn.wants, None, "{data}");
    }
    // Nor is a visit asked for.
    let said = script(
        ChannelKind::Sms,
        Language::ZhHans,
        vec![known(vec![], &["陈桂英"], true)],
    )
    .play(&[
        Type("上门"),
        Type("1"),
        Type("1"),
        Type("1"),
        Type("4"),
        Type("1234"),
        Type("提交"),
    ]);
    assert!(!said.contains("? ask for"), "{said}");
}

#[test]
fn what_is_forged_or_old_asks_for_nothing() {
    for data in [
        "v:send",
        "v:who:7",
        "v:area:unit:99",
        "v:back",
        "v:fix",
        "v:fix:where",
        "v:show:404",
        "v:why:99",
    ] {
        let script = script(ChannelKind::Telegram, Language::ZhHans, vec![]);
        let turn = script.turn(&InboundContent::Choice(data.into()), None);
        assert_eq!(turn.wants, Some(Want::Visits), "{data}");
    }
    let mut script = script(
        ChannelKind::Telegram,
        Language::ZhHans,
        vec![known(vec![], &["陈桂英"], true)],
    );
    script.act(&Type("上门"));
    for data in ["v:send", "v:who:7", "v:area:unit:99", "v:when:2020-01-01:morning"] {
        let turn = script.turn(&InboundContent::Choice(data.into()), None);
        assert!(!matches!(turn.wants, Some(Want::AskVisit(_))), "{data}");
    }
}

/// Nobody learns by asking who lives where, or that a visit has been asked for there.
#[test]
fn a_stranger_is_told_nothing_of_the_home_they_name() {
    let play = |state| {
        script(
            ChannelKind::Sms,
            Language::ZhHans,
            vec![known(vec![], &[], true), asked(state, false)],
        )
        .play(&[
            Type("邻居走不动,3栋2单元1203,请上门"),
            Type("李秀英"),
            Type("1"),
            Type("4"),
            Type("4821"),
        ])
    };
    let said = play(VisitState::Asked);
    for secret in ["陈", "王强", "0472", "已受理"] {
        assert!(!said.contains(secret), "{said}");
    }
    assert!(said.contains("先给您打电话"), "{said}");
}

#[test]
fn who_stopped_notices_is_told_how_to_get_them_again() {
    let mut script = script(
        ChannelKind::Sms,
        Language::ZhHans,
        vec![
            known(vec![], &["陈桂英"], true),
            asked(VisitState::Accepted, false),
        ],
    );
    script.person.stopped = true;
    let said = script.play(&[
        Type("上门"),
        Type("1"),
        Type("1"),
        Type("1"),
        Type("4"),
        Type("4821"),
    ]);
    let last = said.rsplit("> 4821").next().unwrap_or_default();
    assert!(last.contains("订阅"), "{said}");
}

/// A Chinese text message holds 70 characters, each part of a longer one 67.
#[test]
fn each_question_is_one_part_and_nothing_is_more_than_three() {
    let mut script = script(ChannelKind::Sms, Language::ZhHans, vec![known(vec![], &[], true)]);
    for (text, parts) in [
        ("上门", 1),
        ("2", 1),
        ("李秀英", 2),
        ("锦绣社区1 3栋2单元1203", 1),
        ("1", 2),
        ("1", 1),
        ("4", 2),
    ] {
        let content = InboundContent::Text(text.into());
        let mut turn = script.turn(&content, None);
        if turn.wants.is_some() {
            let fetched = script.fetched.remove(0);
            turn = script.turn_knowing(&content, None, Some(&fetched));
        }
        let [Reply::Say(body)] = turn.replies.as_slice() else {
            panic!("{text}: {:?}", turn.replies);
        };
        let units = body.text.encode_utf16().count();
        let taken = if units <= 70 { 1 } else { units.div_ceil(67) };
        assert!(taken <= parts, "{units} characters: {}", body.text);
        script.state = turn.state;
    }
}

#[path = "slips.rs"]
mod slips;
