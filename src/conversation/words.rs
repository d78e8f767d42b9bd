//! The fixed words that work anywhere in a dialogue. Only these are understood; the rest is answered with the menu.

use unicode_normalization::UnicodeNormalization;

use crate::domain::Language;

use super::menu::Choice;

/// A typed text as it is compared: compatibility forms folded, lower case, without control and invisible
/// characters, runs of white space as one space.
pub(super) fn normalise(text: &str) -> String {
    let visible = text
        .nfkc()
        .filter(|c| c.is_whitespace() || !(c.is_control() || is_invisible(*c)));
    let folded: String = visible.flat_map(char::to_lowercase).collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a normalised text asks for, if it is one of the fixed words; punctuation around it does not matter.
pub(super) fn choice(text: &str) -> Option<Choice> {
    if !text.is_empty() && text.chars().all(|c| c == '?') {
        return Some(Choice::Help);
    }
    let word = text.trim_matches(|c: char| !c.is_alphanumeric());
    WORDS
        .iter()
        .find(|(_, words)| words.contains(&word))
        .map(|(choice, _)| *choice)
}

/// The text speaks of a danger to life. Wide on purpose: advice too often costs less than too seldom.
pub(super) fn is_emergency(text: &str, emergency_number: &str) -> bool {
    EMERGENCY.iter().any(|word| text.contains(word))
        || [CHINA_AMBULANCE, emergency_number].iter().any(|n| calls(text, n))
}

/// No more than a word or a number: whoever writes 120 or 急诊 asks for it, and tells of nobody.
pub(super) fn is_bare(text: &str) -> bool {
    text.chars().filter(|c| c.is_alphanumeric()).count() <= BARE_CHARACTERS_MAX
}

/// As long as 急诊, 120 or 救护车; what tells of somebody is longer.
const BARE_CHARACTERS_MAX: usize = 3;

/// The text reads as English: Latin words, and no other script.
pub(super) fn is_english(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii() || !c.is_alphabetic())
        && text
            .split(|c: char| !c.is_ascii_alphabetic())
            .any(|word| word.len() >= ENGLISH_WORD_LETTERS_MIN)
}

/// Shorter Latin words (TD, T, A栋) are as common in Chinese text messages.
const ENGLISH_WORD_LETTERS_MIN: usize = 3;

/// People in China write it whatever the configured number is.
const CHINA_AMBULANCE: &str = "120";

/// The fixed words, normalised. The phrases are those that `opt-out` and `opt-in` of the seed questions list.
#[rustfmt::skip]
const WORDS: &[(Choice, &[&str])] = &[
    (Choice::Stop, &["stop", "t", "td", "tt", "退订", "退訂", "取消订阅", "取消訂閱", "停止", "停止通知", "停止发送通知", "关闭提醒",
        "不要再发短信了", "别再给我发信息", "我不想收到消息了", "我要退订", "unsubscribe", "stop texting me", "turn off notifications"]),
    (Choice::StopEverywhere, &["stop all", "stopall", "全部退订", "全部退訂", "全部停止"]),
    (Choice::Start, &["start", "订阅", "訂閱", "恢复", "恢復", "恢复通知", "恢復通知", "开始", "開始", "开启提醒", "我要订阅通知",
        "subscribe", "start notices"]),
    (Choice::Help, &["help", "帮助", "幫助", "说明", "說明", "what can you do", "你能做什么"]),
    (Choice::Speak(Language::ZhHans), &["中文", "简体", "簡體", "简体中文", "簡體中文", "chinese"]),
    (Choice::Speak(Language::ZhHant), &["繁體", "繁体", "繁體中文", "繁体中文"]),
    (Choice::Speak(Language::En), &["english", "英文", "英语", "英語"]),
    (Choice::Languages, &["语言", "語言", "language", "语言 language", "語言 language", "language 语言"]),
    (Choice::Windows, &["时段", "時段", "时间", "時間", "我的时间", "我的時間", "我的时段", "我的時段", "我的采样时间",
        "window", "my window", "time", "my time"]),
    (Choice::OtherTime, &["换时间", "換時間", "改时间", "改時間", "换时段", "換時段", "改时段", "改時段", "换个时间", "換個時間",
        "我要换时间", "我要改时间", "来不了", "來不了", "我来不了", "other time", "another time", "change time", "i cannot come"]),
    (Choice::Home, &["改地址", "换地址", "換地址", "地址", "搬家", "重新选择", "重新選擇", "home", "address", "change address",
        "change home", "start over"]),
    (Choice::Menu, &["0", "菜单", "菜單", "选单", "選單", "menu", "你好", "您好", "hello", "hi", "谢谢", "謝謝", "thanks", "thank you"]),
    (Choice::Phone, &["手机号", "手機號", "手机号码", "手機號碼", "phone"]),
    (Choice::Later, &["以后再说", "以後再說", "以后", "以後", "later", "not now"]),
    (Choice::NotMe, &["不是我", "this is not me", "not me"]),
    (Choice::Pass, &["通行证", "通行證", "通行证明", "通行證明", "核酸证明", "核酸證明", "我的通行证", "我的通行證", "我的核酸证明", "pass",
        "my pass", "proof"]),
    (Choice::Done, &["结束", "結束", "结束对话", "結束對話", "done", "end"]),
    (Choice::Privacy, &["隐私", "隱私", "privacy"]),
    (Choice::Forget, &["删除我的信息", "刪除我的資料", "忘记我", "忘記我", "forget", "forget me"]),
    (Choice::Visits, &["上门", "上門", "上门采样", "上門採樣", "我的上门", "visit", "my visit", "home visit"]),
    (Choice::Person, &["人工", "转人工", "轉人工", "找人工", "human", "person", "i want to talk to a person"]),
];

#[rustfmt::skip]
const EMERGENCY: &[&str] = &[
    "急救", "急诊", "急診", "救命", "救护车", "救護車", "晕倒", "暈倒", "昏倒", "昏迷", "休克", "心梗",
    "呼吸困难", "呼吸困難", "喘不上气", "喘不上氣", "喘不过气", "没有呼吸", "胸痛", "大出血", "抽搐", "要生了", "自杀", "自殺", "不想活", "想死",
    "煤气中毒", "emergency", "ambulance", "unconscious", "not breathing", "can't breathe", "cannot breathe",
    "heart attack", "collapsed", "bleeding", "suicide", "kill myself",
];

/// The number stands in the text for itself: neither inside a longer number nor as the number of a door.
fn calls(text: &str, number: &str) -> bool {
    !number.is_empty()
        && text.match_indices(number).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + number.len()..].trim_start().chars().next();
            !before.is_some_and(|c| c.is_ascii_alphanumeric())
                && !after.is_some_and(|c| {
                    c.is_ascii_alphanumeric() || "栋棟幢座单單号號楼樓室户戶-元年".contains(c)
                })
        })
}

/// Marks of direction and joining, which change how a text looks and never what it says.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{00AD}' | '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Choice> {
        choice(&normalise(text))
    }

    #[test]
    fn words_are_known_however_they_are_typed() {
        for text in [
            "STOP",
            " stop. ",
            "\u{ff33}\u{ff34}\u{ff2f}\u{ff30}",
            "“退订”",
            "退订\u{ff01}",
            "TD",
            "t",
            "T",
            "/stop",
            "\u{202e}退\u{200b}订",
        ] {
            assert_eq!(read(text), Some(Choice::Stop), "{text:?}");
        }
        assert_eq!(read("Stop All"), Some(Choice::StopEverywhere));
        assert_eq!(read("?"), Some(Choice::Help));
        assert_eq!(read("\u{ff1f}\u{ff1f}"), Some(Choice::Help));
        assert_eq!(read("0"), Some(Choice::Menu));
        assert_eq!(read("繁體"), Some(Choice::Speak(Language::ZhHant)));
        for text in ["", "。", "👍", "don't stop", "不停止", "12", &"退".repeat(4096)] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_word_asks_for_one_thing_and_is_written_as_it_is_compared() {
        let words: Vec<_> = WORDS
            .iter()
            .flat_map(|(_, words)| *words)
            .chain(EMERGENCY)
            .collect();
        for word in &words {
            assert_eq!(normalise(word), **word);
            assert_eq!(words.iter().filter(|other| other == &word).count(), 1, "{word}");
        }
    }

    #[test]
    fn danger_is_heard_and_house_numbers_are_not() {
        for text in [
            "我妈晕倒了",
            "120",
            "快打120!",
            "EMERGENCY",
            "He can't breathe",
            "999",
        ] {
            assert!(is_emergency(&normalise(text), "999"), "{text}");
        }
        for text in ["120栋", "120 单元", "1203", "13812012012", "A120", "你好", ""] {
            assert!(!is_emergency(&normalise(text), "999"), "{text}");
        }
    }

    #[test]
    fn english_is_told_from_chinese_short_words() {
        for text in ["hello", "STOP", "Where do I go?"] {
            assert!(is_english(text), "{text}");
        }
        for text in ["TD", "T", "3", "", "我的 window", "3栋"] {
            assert!(!is_english(text), "{text}");
        }
    }
}
