//! The approved answers to what residents ask: sentences, each said only where what fills it is known.

use super::{Text, Texts, Voice};
use crate::{
    config::CityConfig,
    domain::{ChannelKind, Intent, Language},
};

/// What fills the answers. What is `None` is not known, and the sentences that need it are left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Whom to call in danger; always known, the configuration sees to that.
    pub emergency_number: &'a str,
    /// The phone of the person's community.
    pub community_phone: Option<&'a str>,
    /// Where prices are reported.
    pub price_hotline: Option<&'a str>,
    /// Where the city announces.
    pub official_channel: Option<&'a str>,
    /// The window of the person's unit, as people say it, and its site with the address.
    pub window: Option<(&'a str, &'a str)>,
    /// When the person was last sampled, and until when that counts.
    pub proof: Option<(&'a str, &'a str)>,
    /// The person's request for sampling at home, and its state in words.
    pub request: Option<(&'a str, &'a str)>,
}

impl<'a> Facts<'a> {
    /// What is the same for everybody in the city.
    pub fn of_city(city: &'a CityConfig) -> Self {
        Self {
            emergency_number: &city.emergency_number,
            price_hotline: Some(city.price_hotline.as_str()).filter(|number| !number.is_empty()),
            official_channel: Some(city.official_channel.as_str()).filter(|name| !name.is_empty()),
            ..Self::default()
        }
    }
}

/// What a worker calls an answer that says the same to everybody. `None` for the others: those about a person's own
/// window, proof or request, those that send to a person or ask for what the bot takes down itself, and those in which
/// the bot says what it did.
fn title(intent: Intent) -> Option<Text<'static>> {
    Some(match intent {
        Intent::PassRules => Text::TitlePassRules,
        Intent::HealthCode => Text::TitleHealthCode,
        Intent::PublicTransportAccess => Text::TitlePublicTransportAccess,
        Intent::TransportStatus => Text::TitleTransportStatus,
        Intent::HospitalAccess => Text::TitleHospitalAccess,
        Intent::EmergencyCare => Text::TitleEmergencyCare,
        Intent::HomeSamplingEligibility => Text::TitleHomeSamplingEligibility,
        Intent::GreenLane => Text::TitleGreenLane,
        Intent::WhatToBring => Text::TitleWhatToBring,
        Intent::AfterSampling => Text::TitleAfterSampling,
        Intent::SystemOutage => Text::TitleSystemOutage,
        Intent::NoSmartphone => Text::TitleNoSmartphone,
        Intent::MissedTestEnrolment => Text::TitleMissedTestEnrolment,
        Intent::SuppliesStatus => Text::TitleSuppliesStatus,
        Intent::PriceGougingReport => Text::TitlePriceGougingReport,
        Intent::ReportIncident => Text::TitleReportIncident,
        _ => return None,
    })
}

/// Whether the approved answer says the same to everybody, so that a worker may send it as it is.
pub fn is_fixed(intent: Intent) -> bool {
    title(intent).is_some()
}

/// What a worker calls such an answer.
pub fn title_of(texts: &Texts, language: Language, intent: Intent) -> Option<String> {
    title(intent).map(|title| texts.say(language, ChannelKind::Telegram, &title))
}

/// The approved answer; `None` where nothing of it can be said without what is not known: a person takes it then.
pub fn answer(voice: &Voice<'_>, intent: Intent, facts: &Facts<'_>) -> Option<String> {
    let joint = if voice.language == Language::En { " " } else { "" };
    let said: Vec<String> = sentences(intent, facts)
        .iter()
        .map(|text| voice.say(text))
        .collect();
    let words = said.join(joint);
    let message = match voice.channel {
        ChannelKind::Telegram => words.clone(),
        ChannelKind::Sms => voice.message(std::slice::from_ref(&words)),
    };
    (!words.is_empty()).then_some(message)
}

fn sentences<'a>(intent: Intent, facts: &Facts<'a>) -> Vec<Text<'a>> {
    let emergency_number = facts.emergency_number;
    match intent {
        Intent::FindTimeWindow
        | Intent::CheckPassValidity
        | Intent::HomeSamplingStatus
        | Intent::HomeSamplingCancel => own(intent, facts),
        Intent::GetPass => vec![
            Text::AnswerGetPass,
            match facts.community_phone {
                Some(community_phone) => Text::AnswerGetPassPhone { community_phone },
                None => Text::AnswerGetPassHuman,
            },
        ],
        Intent::EmergencyCare => vec![
            Text::AnswerEmergencyCare,
            Text::AnswerEmergencyCareCall { emergency_number },
        ],
        Intent::MissedTestEnrolment => {
            let news = facts.official_channel;
            let news = news.map(|official_channel| Text::AnswerMissedTestEnrolmentNews { official_channel });
            [Some(Text::AnswerMissedTestEnrolment), news]
                .into_iter()
                .flatten()
                .collect()
        }
        Intent::PriceGougingReport => vec![
            Text::AnswerPriceGougingReport,
            match facts.price_hotline {
                Some(price_hotline) => Text::AnswerPriceGougingReportPhone { price_hotline },
                None => Text::AnswerPriceGougingReportWrite,
            },
        ],
        Intent::ReportIncident => vec![
            Text::AnswerReportIncident,
            Text::AnswerReportIncidentDanger { emergency_number },
        ],
        Intent::TalkToHuman => [Some(Text::AnswerTalkToHuman), phone(facts)]
            .into_iter()
            .flatten()
            .collect(),
        Intent::Human => {
            let danger = Text::AnswerLifeInDanger { emergency_number };
            [Some(Text::AnswerHuman), phone(facts), Some(danger)]
                .into_iter()
                .flatten()
                .collect()
        }
        _ => plain(intent).into_iter().collect(),
    }
}

/// The answers about what is the person's own.
fn own<'a>(intent: Intent, facts: &Facts<'a>) -> Vec<Text<'a>> {
    let mut said = Vec::new();
    match intent {
        Intent::FindTimeWindow => {
            said.extend(facts.window.map(|(time, site)| Text::AnswerWindow { time, site }));
            said.push(Text::AnswerWindowRule);
        }
        Intent::CheckPassValidity => {
            said.push(Text::AnswerProofHours);
            let proof = facts.proof;
            said.extend(proof.map(|(sampled_at, valid_until)| Text::AnswerProofOwn {
                sampled_at,
                valid_until,
            }));
        }
        _ => said.extend(facts.request.map(|(request_id, request_status)| match intent {
            Intent::HomeSamplingCancel => Text::AnswerHomeSamplingCancel { request_id },
            _ => Text::AnswerHomeSamplingStatus {
                request_id,
                request_status,
            },
        })),
    }
    said
}

fn phone<'a>(facts: &Facts<'a>) -> Option<Text<'a>> {
    facts
        .community_phone
        .map(|community_phone| Text::AnswerCommunityPhone { community_phone })
}

/// The answers that nothing fills.
fn plain(intent: Intent) -> Option<Text<'static>> {
    Some(match intent {
        Intent::ChangeTimeWindow => Text::AnswerChangeTimeWindow,
        Intent::PassRules => Text::AnswerPassRules,
        Intent::HealthCode => Text::AnswerHealthCode,
        Intent::PublicTransportAccess => Text::AnswerPublicTransportAccess,
        Intent::TransportStatus => Text::AnswerTransportStatus,
        Intent::HospitalAccess => Text::AnswerHospitalAccess,
        Intent::HomeSamplingApply => Text::AnswerHomeSamplingApply,
        Intent::HomeSamplingEligibility => Text::AnswerHomeSamplingEligibility,
        Intent::GreenLane => Text::AnswerGreenLane,
        Intent::WhatToBring => Text::AnswerWhatToBring,
        Intent::AfterSampling => Text::AnswerAfterSampling,
        Intent::SystemOutage => Text::AnswerSystemOutage,
        Intent::NoSmartphone => Text::AnswerNoSmartphone,
        Intent::SuppliesStatus => Text::AnswerSuppliesStatus,
        Intent::OptIn => Text::AnswerOptIn,
        Intent::OptOut => Text::AnswerOptOut,
        Intent::ChangeLanguage => Text::AnswerChangeLanguage,
        Intent::HelpMenu => Text::AnswerHelpMenu,
        Intent::None => Text::AnswerNone,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Texts;

    const ALL: Facts<'static> = Facts {
        emergency_number: "120",
        community_phone: Some("028-81234567"),
        price_hotline: Some("12315"),
        official_channel: Some("成都教育发布"),
        window: Some(("9月3日(周六)下午2:10–2:30", "幸福小学(幸福路1号)")),
        proof: Some(("9月2日上午9:00", "9月4日上午9:00")),
        request: Some(("12", "已安排")),
    };
    const NOTHING: Facts<'static> = Facts {
        emergency_number: "120",
        community_phone: None,
        price_hotline: None,
        official_channel: None,
        window: None,
        proof: None,
        request: None,
    };

    fn said(language: Language, channel: ChannelKind, intent: Intent, facts: &Facts<'_>) -> Option<String> {
        let texts = Texts::load().expect("texts");
        let voice = Voice {
            texts: &texts,
            language,
            channel,
            sender_name: "幸福社区",
        };
        answer(&voice, intent, facts)
    }

    #[test]
    fn answers_read_well() {
        for language in Language::ALL {
            let mut page = String::new();
            for intent in Intent::ALL {
                page += &format!("## {intent}\n");
                for facts in [&ALL, &NOTHING] {
                    let words = said(language, ChannelKind::Telegram, intent, facts);
                    page += &format!("{}\n", words.as_deref().unwrap_or("(a person takes it)"));
                }
            }
            insta::assert_snapshot!(format!("answers-{}", language.code()), page);
        }
    }

    #[test]
    fn what_a_worker_may_send_says_the_same_to_everybody() {
        let city = Facts {
            window: None,
            proof: None,
            request: None,
            ..ALL
        };
        for language in Language::ALL {
            for intent in Intent::ALL.into_iter().filter(|intent| is_fixed(*intent)) {
                let words = said(language, ChannelKind::Telegram, intent, &city).expect("an answer");
                assert_eq!(
                    Some(words),
                    said(language, ChannelKind::Telegram, intent, &ALL),
                    "{intent}"
                );
                assert!(
                    said(language, ChannelKind::Telegram, intent, &NOTHING).is_some(),
                    "{intent}"
                );
            }
        }
    }

    #[test]
    fn every_answer_is_there_and_danger_always_has_its_number() {
        for language in Language::ALL {
            for intent in Intent::ALL {
                assert!(
                    said(language, ChannelKind::Sms, intent, &ALL).is_some(),
                    "{intent}"
                );
            }
            for intent in [Intent::Human, Intent::EmergencyCare, Intent::ReportIncident] {
                let words = said(language, ChannelKind::Sms, intent, &NOTHING).expect("an answer");
                assert!(words.contains("120"), "{intent} {language:?}");
            }
            assert_eq!(
                said(language, ChannelKind::Sms, Intent::HomeSamplingStatus, &NOTHING),
                None
            );
        }
    }
}
