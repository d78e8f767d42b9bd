//! What people write otherwise than awaited, and what must come of it all the same.

use super::*;
use crate::{conversation::visit_choice::Field, understanding::Understanding};

fn chat(fetched: Vec<Fetched>) -> Script {
    script(ChannelKind::Telegram, Language::ZhHans, fetched)
}

fn sms(fetched: Vec<Fetched>) -> Script {
    script(ChannelKind::Sms, Language::ZhHans, fetched)
}

/// A reader of English would say so at once: a building's number makes no address of a sentence.
#[test]
fn a_sentence_that_names_a_building_is_no_address() {
    let fire = "fire in building 3 unit 2";
    let mother = "mom can't walk, building 3 unit 2 room 1203, please come";
    let understood = |text| Understanding::shared().understand(text, Language::En);
    assert!(understood(fire).urgent);
    assert!(!understood(mother).urgent);
    assert_eq!(understood(mother).intent, Intent::HomeSamplingApply);
    for home in [None, Some(UnitId(3))] {
        let mut script = script(ChannelKind::Sms, Language::En, vec![]);
        script.person.home = home;
        let said = script.play(&[Type(fire)]);
        assert!(
            said.contains("urgent: true") && !said.contains("SetHome"),
            "{said}"
        );
        let mut script = self::script(ChannelKind::Sms, Language::En, vec![known(vec![], &[], true)]);
        script.person.home = home;
        let said = script.play(&[Type(mother)]);
        assert!(said.contains("? visits") && !said.contains("SetHome"), "{said}");
    }
}

/// Where the home is asked for, a building's number still answers, whatever stands beside it.
#[test]
fn the_home_may_be_named_with_a_word_that_the_roster_does_not_have() {
    let mut script = script(ChannelKind::Telegram, Language::En, vec![]);
    let said = {
        script.act(&Type("change home"));
        script.play(&[Type("Garden Court building 2")])
    };
    assert!(last(&said).contains("SetHome(UnitId(1))"), "{said}");
}

/// Who cannot walk since a stroke asks for a visit; who has one now needs help.
#[test]
fn an_illness_of_long_ago_is_no_danger() {
    for text in [
        "我爸中风后走不动,3栋2单元1203,请上门",
        "我媽有心臟病走不動,請上門",
        "my dad can't walk since his stroke, please come",
    ] {
        assert!(!crate::conversation::words::is_emergency(text, "120"), "{text}");
        let said = Understanding::shared().understand(text, Language::ZhHans);
        assert_eq!(
            (said.urgent, said.intent),
            (false, Intent::HomeSamplingApply),
            "{text}"
        );
    }
    for text in [
        "我爸中风了",
        "妈妈突然中风",
        "我爸中風",
        "奶奶心脏病发作",
        "my dad is having a stroke",
        "he had a stroke",
    ] {
        let said = Understanding::shared().understand(text, Language::ZhHans);
        assert!(said.urgent, "{text}");
    }
    let said = sms(vec![known(vec![], &[], true)]).play(&[Type("我爸中风后走不动,3栋2单元1203,请上门")]);
    assert!(said.contains("姓名"), "{said}");
}

/// After danger, what they write is for the worker: nothing of it sends or drops the request.
#[test]
fn after_danger_no_word_acts_on_the_request() {
    let summary = [
        Type("上门"),
        Tap("v:who:0"),
        Tap("v:why:0"),
        Tap("v:when:"),
        Tap("v:no_note"),
        Type("我妈晕倒了"),
    ];
    for word in ["好", "1", "取消", "返回"] {
        let mut script = chat(vec![known(vec![], &["陈桂英"], true)]);
        for act in &summary {
            script.act(act);
        }
        assert!(script.transcript.contains("结束"), "{}", script.transcript);
        let content = InboundContent::Text(word.into());
        let turn = script.turn(&content, None);
        assert_eq!((turn.wants, turn.replies), (None, vec![]), "{word}");
        assert_eq!(turn.effects, [Effect::AddToTalk { urgent: false }], "{word}");
        assert!(turn.state.visit.is_some(), "{word}");
    }
}

/// Only who stands for the household has the code told to another phone by writing it.
#[test]
fn a_phone_that_nobody_called_is_promised_a_call() {
    for proven in [false, true] {
        let mut after = own(VisitState::Accepted, proven);
        after.visit.proven = proven;
        let shown = || known(vec![after.clone()], &[], true);
        let changed = Fetched::VisitChanged {
            own: Some(Box::new(after.clone())),
            done: true,
        };
        let said =
            chat(vec![shown(), changed]).play(&[Type("上门"), Tap("v:phone:9"), Type("199 0000 0003")]);
        assert_eq!(said.contains("先打这个电话"), !proven, "{said}");
    }
}

/// What the last message was answered with.
fn last(said: &str) -> &str {
    said.rsplit("\n> ").next().unwrap_or_default()
}

/// At the summary, for somebody of the household.
const TO_THE_SUMMARY: [Act<'static>; 5] = [
    Type("上门"),
    Tap("v:who:0"),
    Tap("v:why:0"),
    Tap("v:when:"),
    Tap("v:no_note"),
];
const TO_THE_CODE: [Act<'static>; 5] = [Type("上门"), Type("1"), Type("1"), Type("4"), Type("4")];

fn at_summary(fetched: Vec<Fetched>) -> Script {
    let mut all = vec![known(vec![], &["陈桂英"], true)];
    all.extend(fetched);
    let mut script = chat(all);
    for act in &TO_THE_SUMMARY {
        script.act(act);
    }
    script
}

fn at_code(fetched: Vec<Fetched>) -> Script {
    let mut all = vec![known(vec![], &["陈桂英"], true)];
    all.extend(fetched);
    let mut script = sms(all);
    for act in &TO_THE_CODE {
        script.act(act);
    }
    assert!(last(&script.transcript).contains("4821"), "{}", script.transcript);
    script
}

/// The second person of a home is not turned away.
#[test]
fn another_person_of_the_home_joins_the_visit_or_is_heard_by_a_worker() {
    let said = at_summary(vec![came_of(VisitState::Accepted, VisitOutcome::Joined)]).play(&[Tap("v:send")]);
    assert!(last(&said).contains("已经加上陈"), "{said}");
    assert!(!last(&said).contains("OpenTalk"), "{said}");
    let mut script = at_summary(vec![came_of(VisitState::OnTheWay, VisitOutcome::Apart)]);
    script.act(&Tap("v:send"));
    assert!(
        last(&script.transcript).contains("OpenTalk"),
        "{}",
        script.transcript
    );
    assert!(script.state.visit.is_some(), "the request is not lost");
}

/// A sentence about another home or person, or of another day, is another request.
#[test]
fn an_old_request_takes_nothing_of_a_new_one() {
    let first = [
        Type("上门"),
        Type("2"),
        Type("李秀英"),
        Type("锦绣社区1 3栋2单元1203"),
    ];
    let known = || known(vec![], &[], true);
    for (wait, sentence, next) in [
        (0, "走不动,请上门", Field::When),
        (0, "走不动,3栋1单元1203,请上门", Field::Whom),
        (0, "走不动,3栋2单元801,请上门", Field::Whom),
        (0, "我妈妈叫王芳,走不动,请上门", Field::Where),
        (25 * 60, "我妈走不动,请上门", Field::Name),
    ] {
        let mut script = sms(vec![known(), known()]);
        for act in &first {
            script.act(act);
        }
        script.act(&Type("菜单"));
        script.act(&Wait(wait));
        script.act(&Type(sentence));
        let asks = matches!(script.state.step, Step::Visit { at, of: None, .. } if at == next);
        assert!(asks, "{sentence}: {}", script.transcript);
    }
    // The same in the middle of its questions.
    for (wait, sentence, next) in [
        (0, "走不动,3栋1单元1203,请上门", Field::Whom),
        (25 * 60, "我妈走不动,请上门", Field::Name),
    ] {
        let mut script = sms(vec![known(), known()]);
        for act in &first {
            script.act(act);
        }
        script.act(&Wait(wait));
        script.act(&Type(sentence));
        let asks = matches!(script.state.step, Step::Visit { at, of: None, .. } if at == next);
        assert!(asks, "{sentence}: {}", script.transcript);
    }
}

/// What is to be mended is asked anew, and the way back loses nothing.
#[test]
fn a_wrong_name_can_be_mended_and_back_leads_to_the_summary() {
    // Typed by a stranger.
    let acts = [
        Type("上门"),
        Type("2"),
        Type("李秀英"),
        Type("锦绣社区1 3栋2单元1203"),
        Type("1"),
        Type("4"),
        Type("4"),
        Type("1"),
        Type("1"),
        Type("李秀珍"),
    ];
    let said = sms(vec![known(vec![], &[], true)]).play(&acts);
    assert!(last(&said).contains("李秀珍，锦绣社区1 3栋2单元 1203"), "{said}");
    // Chosen from the household, and another one named instead.
    let said = at_summary(vec![]).play(&[Tap("v:fix"), Tap("v:fix:whom"), Type("李秀英")]);
    assert!(last(&said).contains("李秀英"), "{said}");
    for way in [
        vec![Tap("v:fix"), Tap("v:back")],
        vec![Tap("v:fix"), Tap("v:fix:whom"), Tap("v:back")],
        vec![Tap("v:fix"), Tap("v:fix:where"), Type("返回")],
        vec![Tap("v:fix"), Type("好")],
    ] {
        let before = at_summary(vec![]);
        let summary = last(&before.transcript)
            .split_once('\n')
            .map(|(_, said)| said.to_owned());
        let said = before.play(&way);
        let after = last(&said).split_once('\n').map(|(_, said)| said.to_owned());
        assert_eq!(after, summary, "{said}");
    }
}

/// A name of the roster stays masked when the home is another.
#[test]
fn a_name_of_the_roster_is_not_shown_by_another_address() {
    let said = at_summary(vec![]).play(&[
        Tap("v:fix"),
        Tap("v:fix:where"),
        Type("锦绣社区1 3栋1单元"),
        Type("801"),
    ]);
    assert!(last(&said).contains("3栋1单元 801"), "{said}");
    assert!(!said.contains("桂英"), "{said}");
}

/// Nobody loses a change by a full stop, or by saying yes.
#[test]
fn the_code_counts_however_it_is_written_and_yes_asks_for_it() {
    for code in ["4821。", "确认4821", "48 21"] {
        let said = at_code(vec![asked(VisitState::Accepted, false)]).play(&[Type(code)]);
        assert!(last(&said).contains("? ask for"), "{said}");
    }
    let waits = known(vec![], &["陈桂英"], true);
    let said = at_code(vec![waits, asked(VisitState::Accepted, false)]).play(&[
        Type("好"),
        Type("是的"),
        Type("482"),
        Type("收到"),
        Type("好的"),
        Type("提交"),
        Type("上门"),
        Type("4821"),
    ]);
    assert_eq!(said.matches("四位数字").count(), 7, "{said}");
    assert!(last(&said).contains("? ask for"), "{said}");
    let code = "回复4821";
    assert_eq!(said.matches(code).count(), 1, "one code is enough: {said}");
    // The same for whatever else is confirmed.
    let said = sms(vec![]).play(&[
        Type("锦绣社区1 3栋2单元"),
        Type("删除我的信息"),
        Type("好"),
        Type("4821。"),
    ]);
    assert!(last(&said).contains("* Forget"), "{said}");
    // Another question is answered as ever.
    let said = at_code(vec![]).play(&[Type("绿色通道怎么走")]);
    assert!(last(&said).contains("绿色通道。"), "{said}");
}

/// Digits choose; they are no words for a worker.
#[test]
fn digits_are_never_kept_as_words() {
    let acts = [
        Type("上门"),
        Type("1"),
        Type("4"),
        Type("1 2"),
        Type("4"),
        Type("7"),
        Type("1、3"),
    ];
    let said = sms(vec![known(vec![], &["陈桂英"], true)]).play(&acts);
    assert!(
        last(&said).contains("原因：走不动，下不了楼，长期卧床。"),
        "{said}"
    );
    assert!(last(&said).contains("注意：没有电梯，听力不好。"), "{said}");
    assert_eq!(said.matches("没有看懂").count(), 2, "{said}");
    let mut change = sms(vec![known(vec![own(VisitState::Accepted, true)], &[], true)]);
    for act in [Type("上门"), Type("3"), Type("9")] {
        change.act(&act);
    }
    assert!(
        last(&change.transcript).contains("没有看懂"),
        "{}",
        change.transcript
    );
}

/// 120 at the question for the door is a door.
#[test]
fn a_door_of_the_ambulances_number_is_a_door() {
    let city = [
        "锦江区/春熙街道/锦绣社区1/119栋/1单元",
        "锦江区/春熙街道/锦绣社区1/120栋/1单元",
        "锦江区/春熙街道/锦绣社区1/120栋/2单元",
    ];
    let mut script = script(ChannelKind::Sms, Language::ZhHans, vec![known(vec![], &[], true)]);
    script.places = places(&city);
    let said = script.play(&[
        Type("上门"),
        Type("2"),
        Type("李秀英"),
        Type("120"),
        Type("2"),
        Type("120"),
        Type("120"),
    ]);
    assert!(said.contains("几单元"), "{said}");
    assert!(said.contains("为什么不方便"), "{said}");
    assert!(last(&said).contains("请马上拨打"), "{said}");
}

/// Long words are read back by their beginning; what is kept is whole.
#[test]
fn long_words_are_not_read_back_whole_by_text_message() {
    let story = "my mother broke her hip in spring and cannot take the stairs of our old house";
    let acts = [
        Type("visit"),
        Type("1"),
        Type(story),
        Type("4"),
        Type("4"),
        Type("4821"),
    ];
    let fetched = vec![
        known(vec![], &["陈桂英"], true),
        asked(VisitState::Accepted, false),
    ];
    let said = script(ChannelKind::Sms, Language::En, fetched).play(&acts);
    assert!(said.contains("Why: my mother broke her..."), "{said}");
    assert!(last(&said).contains(&format!("because {story}")), "{said}");
}
