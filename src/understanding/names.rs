//! A person's name in a message.

/// What a name is said with. After these nearly anything is a name.
const SAID_WITH: [&str; 14] = [
    "我叫",
    "我的名字叫",
    "我的名字是",
    "名字叫",
    "名字是",
    "名叫",
    "姓名:",
    "姓名",
    "名字:",
    "她叫",
    "他叫",
    "老人叫",
    "wo jiao",
    "患者",
];
/// After these a name must begin with a surname, and end there.
#[rustfmt::skip]
const RELATIONS: &[&str] = &[
    "我是", "妈妈", "媽媽", "母亲", "母親", "爸爸", "父亲", "父親", "奶奶", "爷爷", "爺爺", "外婆", "外公", "老公", "老婆", "丈夫", "妻子", "婆婆",
    "岳母", "岳父", "老伴", "儿子", "兒子", "女儿", "女兒", "邻居", "鄰居", "病人", "老人", "我妈", "我媽", "我爸", "老人家", "叫", "联系人", "联系人:", "申请人", "这里是",
];
const SURNAMES: &str = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎鲁韦昌马苗凤花方俞任袁柳鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于时傅皮卞齐康伍余元卜顾孟平黄和穆萧尹姚邵湛汪祁毛禹狄米贝明臧计伏成戴谈宋茅庞熊纪舒屈项祝董梁杜阮蓝闵席季麻强贾路娄危江童颜郭梅盛林刁钟徐邱骆高夏蔡田樊胡凌霍虞万支柯管卢莫房解应宗丁宣邓洪包诸左石崔吉龚程邢裴陆荣翁荀羊惠甄曲封储靳焦巴弓牧车侯班仰秋仲宁仇甘厉戎祖武符刘景詹束龙叶白蒲赖卓蔺屠蒙池乔阴温庄晏柴瞿阎连习艾向古易慎廖游曾关相查游辛简饶聂文代冉敖肖涂闫佘陳張劉楊趙黃周吳鄭馮衛蔣韓許呂嚴華謝鄒蘇魯韋馬鳳任湯羅畢鄔樂時傅齊顧蕭賈婁顏鐘駱萬盧莫應鄧賀賴喬陰溫莊閻連葉龍紀譚谭龔錢孫";
/// These begin like a name and are none.
#[rustfmt::skip]
const NO_NAMES: &[&str] = &[
    "高烧", "高血压", "高龄", "高热", "马上", "方便", "安排", "何时", "任何", "时候", "时间", "时段", "江苏人", "明天", "常常", "万一", "温度", "石膏",
    "白天", "路上", "连续", "应该", "相关", "解封", "解除", "关门", "关于", "成都", "成都人", "华西", "华阳", "高新", "金牛", "武侯", "包括", "平时", "和我", "和他", "强烈", "文明",
    "单元", "毛病", "水平", "广场", "花园", "家里", "盛大", "管理", "房间", "房东", "车站", "车里", "计划", "支付", "支持", "游客", "易感", "简单", "简体", "黄码", "红码",
    "明白", "向您", "向你", "曾经", "时空", "乐观", "严重", "严格", "安全", "安静", "康复", "康复科", "于是", "方法", "方式", "何种", "路口", "花钱", "贝贝", "明早", "明晚", "白血病",
];
/// No name goes on with these.
const STOPS: &str =
    "住在的是要想电手今家我来申请有男女吗吧跟需岁号地身联楼栋单了,。不能去做请家到被和也還还已岁歲";

/// The first name that is said.
pub(super) fn read(text: &[char], lower: &[char]) -> Option<String> {
    chinese(text)
        .or_else(|| english(text, lower))
        .or_else(|| alone(text))
}

fn is_han(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c) || ('\u{3400}'..='\u{4dbf}').contains(&c)
}

fn chinese(text: &[char]) -> Option<String> {
    for (words, sure) in [(&SAID_WITH[..], true), (RELATIONS, false)] {
        for word in words {
            let word: Vec<char> = word.chars().collect();
            for at in 0..text.len().saturating_sub(word.len()) {
                if !text[at..].starts_with(&word) {
                    continue;
                }
                let from = at + word.len();
                let signs = text[from..]
                    .iter()
                    .take_while(|c| " :,是叫".contains(**c))
                    .count();
                if let Some(name) = name_at(text, from + signs, sure) {
                    return Some(name);
                }
            }
        }
    }
    None
}

/// A name of two to four characters; where it is not sure that one follows, it must look like one and end.
fn name_at(text: &[char], from: usize, sure: bool) -> Option<String> {
    let run: Vec<char> = text
        .get(from..)?
        .iter()
        .copied()
        .take_while(|c| is_han(*c))
        .take(8)
        .collect();
    let first = *run.first()?;
    let known = SURNAMES.contains(first);
    if !known && !sure {
        return None;
    }
    let double = [
        "欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "夏侯", "司徒", "令狐", "慕容", "端木",
        "歐陽", "諸葛",
    ];
    let longest = if run.len() > 1 && double.contains(&run[..2].iter().collect::<String>().as_str()) {
        4
    } else {
        3
    };
    let stop = run
        .iter()
        .skip(1)
        .position(|c| STOPS.contains(*c))
        .map_or(run.len(), |at| at + 1);
    let length = if stop <= longest {
        stop
    } else if sure && known {
        longest
    } else {
        return None;
    };
    let name: String = run[..length].iter().collect();
    let title = [
        "婆婆", "大爷", "阿姨", "先生", "女士", "老师", "医生", "人", "者", "们", "院长", "叔叔", "奶奶",
        "爷爷",
    ];
    let titled = title.iter().any(|word| name.ends_with(word));
    (length >= 2 && !NO_NAMES.iter().any(|word| name.starts_with(word)) && !titled).then_some(name)
}

/// In a message of several parts, a part that is two or three characters with a surname in front.
fn alone(text: &[char]) -> Option<String> {
    let said: String = text.iter().collect();
    if !said.chars().any(|c| c.is_ascii_digit()) {
        return None;
    }
    let mut parts = said
        .split(|c: char| c.is_whitespace() || ",，;；。、/:：".contains(c))
        .filter(|part| !part.is_empty());
    let count = parts.clone().count();
    parts.find_map(|part| {
        let run: Vec<char> = part.chars().collect();
        let fits = count > 1 && (2..=3).contains(&run.len()) && run.iter().all(|c| is_han(*c));
        let whole = |name: &String| {
            name.chars().count() == run.len()
                && !run.iter().any(|c| "房楼栋室单区街路村社点码卡证".contains(*c))
        };
        fits.then(|| name_at(&run, 0, false)).flatten().filter(whole)
    })
}

fn english(text: &[char], lower: &[char]) -> Option<String> {
    for (words, sure) in [
        ("my name is ", true),
        ("my name's ", true),
        ("name is ", true),
        ("name: ", true),
        ("name:", true),
        ("i am called ", true),
        ("her name is ", true),
        ("this is ", false),
        ("i'm ", false),
        ("i am ", false),
        ("wo jiao ", true),
        ("my mother ", false),
        ("my father ", false),
        ("my grandmother ", false),
        ("my husband ", false),
        ("my wife ", false),
    ] {
        let words: Vec<char> = words.chars().collect();
        for at in 0..lower.len().saturating_sub(words.len()) {
            let begins = at == 0 || !lower[at - 1].is_ascii_alphabetic();
            if begins && lower[at..].starts_with(&words) {
                let rest: String = text[at + words.len()..].iter().take(60).collect();
                if let Some(name) = latin_name(&rest, sure) {
                    return Some(name);
                }
            }
        }
    }
    None
}

/// Up to three words; capitals are asked for where it is not sure that a name follows.
fn latin_name(rest: &str, sure: bool) -> Option<String> {
    #[rustfmt::skip]
    const ENDS: [&str; 24] = [
        "and", "from", "in", "i", "building", "bldg", "unit", "room", "apt", "phone", "my", "live", "lives", "at", "is", "the", "please", "tel", "she", "he", "who", "living", "block", "zhu",
    ];
    let mut name: Vec<&str> = Vec::new();
    for word in rest.split(' ').take(3) {
        let bare = word.trim_end_matches([',', '.', ';', '!', '?', ':']);
        let letters = !bare.is_empty() && bare.chars().all(|c| c.is_alphabetic() || c == '-' || c == '\'');
        let capital = bare.starts_with(char::is_uppercase);
        if !letters
            || !bare.is_ascii()
            || ENDS.contains(&bare.to_ascii_lowercase().as_str())
            || (!sure && !capital)
        {
            break;
        }
        // After a capital name, a small word is no part of it.
        if name
            .first()
            .is_some_and(|first| first.starts_with(char::is_uppercase))
            && !capital
        {
            break;
        }
        name.push(bare);
        if bare.len() < word.len() {
            break;
        }
    }
    let enough = if sure { 1 } else { 2 };
    (name.len() >= enough).then(|| name.join(" "))
}
