//! What people write otherwise than awaited, and what must come of it all the same.

use super::*;
use crate::understanding::Understanding;

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
        assert!(said.contains("urgent: true") && !said.contains("SetHome"), "{said}");
        let mut script = self::script(ChannelKind::Sms, Language::En, vec![known(vec![], &[], true)]);
        script.person.home = home;
        let said = script.play(&[Type(mother)]);
        assert!(said.contains("? visits") && !said.contains("SetHome"), "{said}");
    }
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
        assert_eq!((said.urgent, said.intent), (false, Intent::HomeSamplingApply), "{text}");
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
        let said = chat(vec![shown(), changed]).play(&[Type("上门"), Tap("v:phone:9"), Type("199 0000 0003")]);
        assert_eq!(said.contains("先打这个电话"), !proven, "{said}");
    }
}
