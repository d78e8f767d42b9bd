//! After the day: chat with the bot in the terminal, as any sample resident, by Telegram or by SMS.

use std::time::Duration;

use anyhow::Result;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    sync::broadcast,
};

use super::{CHAT_AT, Stage, residents::Resident};
use crate::{
    channels::{sms::smsc::Submitted, telegram::fake::SentMessage},
    clock::Clock,
    domain::Button,
    release::plan::PlanSummary,
};

/// How long an answer is awaited before the prompt comes back.
const ANSWER_MAX: Duration = Duration::from_secs(3);
const ANSWER_FOLLOWS: Duration = Duration::from_millis(400);
const LISTED: usize = 8;

const HELP: &str = "\
Type as the resident would: 我的时段, 帮助, English, 退订 … A number taps that button (Telegram) or answers the menu (SMS).
  /who            list some residents        /as N           become resident N
  /sms  /telegram change how you write       /contact        share your phone number (Telegram)
  /code           scan the code at the door  /quit           end";

struct Chat<'a> {
    stage: &'a Stage,
    who: &'a Resident,
    by_sms: bool,
    buttons: Vec<Button>,
    telegram: broadcast::Receiver<SentMessage>,
    sms: broadcast::Receiver<Submitted>,
}

/// Reads lines until /quit or the end of input.
pub async fn run(stage: &Stage, _summary: PlanSummary) -> Result<()> {
    // The fast day is over; the chat has an ordinary one, before the first window.
    let (mut service, stop) = stage.start_service(Clock::fast(stage.at(CHAT_AT), 1.0));
    let Some(who) = stage.residents.iter().find(|resident| !resident.phone.is_empty()) else {
        return Ok(());
    };
    let mut chat = Chat {
        stage,
        who,
        by_sms: true,
        buttons: Vec::new(),
        telegram: stage.bot_api.subscribe(),
        sms: stage.smsc.subscribe(),
    };
    stage.out.line(format!(
        "Now chat with the bot. It is 16:30 in the sample city, before the first window.\n{HELP}\n"
    ));
    chat.introduce();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        chat.prompt();
        let line = tokio::select! {
            line = lines.next_line() => line?,
            _ = tokio::signal::ctrl_c() => None,
        };
        let Some(line) = line else { break };
        let line = line.trim();
        if line == "/quit" {
            break;
        }
        if !line.is_empty() {
            chat.act(line).await?;
        }
    }
    stop.cancel();
    while service.join_next().await.is_some() {}
    stage.out.line(format!(
        "\nThe throw-away database in {} is removed.",
        stage.folder().display()
    ));
    Ok(())
}

impl Chat<'_> {
    fn introduce(&self) {
        let who = self.who;
        self.stage.out.line(format!(
            "You are {}, {} {}, writing by {}.",
            who.name,
            who.place,
            who.door,
            if self.by_sms { "SMS" } else { "Telegram" }
        ));
    }

    fn prompt(&self) {
        use std::io::Write;
        let way = if self.by_sms { "SMS" } else { "Telegram" };
        // A terminal that is gone ends the loop at the next line.
        let _ = write!(std::io::stdout(), "{} ({way})> ", self.who.name);
        let _ = std::io::stdout().flush();
    }

    async fn act(&mut self, line: &str) -> Result<()> {
        let out = self.stage.out;
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["/help"] => out.line(HELP),
            ["/who"] => self.list(),
            ["/as", number] => {
                match number
                    .parse::<usize>()
                    .ok()
                    .and_then(|n| self.stage.residents.get(n))
                {
                    Some(who) => self.who = who,
                    None => out.line(format!("a number from 0 to {}", self.stage.residents.len() - 1)),
                }
                self.buttons.clear();
                self.introduce();
            }
            ["/sms"] => self.by_sms = true,
            ["/telegram"] => self.by_sms = false,
            ["/contact"] if !self.by_sms => {
                self.stage
                    .bot_api
                    .user_shares_contact(self.who.chat, &self.who.phone, true);
                self.answers().await;
            }
            ["/code"] if !self.by_sms => {
                let store = crate::app::open_store(&self.stage.config).await?;
                let codes = super::residents::unit_codes(&store).await?;
                store.close().await;
                let code = codes.get(&self.who.place).cloned().unwrap_or_default();
                self.say(&format!("/start {code}")).await;
            }
            ["/contact" | "/code"] => out.line("that is for Telegram: /telegram first"),
            _ => self.say(line).await,
        }
        Ok(())
    }

    fn list(&self) {
        let step = (self.stage.residents.len() / LISTED).max(1);
        for (number, who) in self.stage.residents.iter().enumerate().step_by(step) {
            let phone = if who.phone.is_empty() {
                "no phone"
            } else {
                "has a phone"
            };
            self.stage.out.line(format!(
                "{number:>5}  {}  {} {}  {} ({phone})",
                who.name, who.place, who.door, who.language
            ));
        }
    }

    async fn say(&mut self, text: &str) {
        if self.by_sms {
            if self.who.phone.is_empty() {
                self.stage
                    .out
                    .line("this resident has no phone; choose another with /as N");
                return;
            }
            if let Err(error) = self.stage.smsc.deliver_text(&self.who.phone, text).await {
                self.stage
                    .out
                    .line(format!("the carrier could not pass it on: {error}"));
                return;
            }
        } else {
            let tapped = text
                .parse::<usize>()
                .ok()
                .and_then(|n| self.buttons.get(n.checked_sub(1)?))
                .cloned();
            match tapped {
                Some(Button::Choice { data, .. }) => {
                    self.stage.bot_api.user_taps(self.who.chat, &data);
                }
                Some(Button::ShareContact { .. }) => {
                    self.stage
                        .bot_api
                        .user_shares_contact(self.who.chat, &self.who.phone, true);
                }
                _ => {
                    let language = if self.who.language == "en" {
                        "en"
                    } else {
                        "zh-hans"
                    };
                    self.stage
                        .bot_api
                        .user_says(self.who.chat, language, &self.who.name, text);
                }
            }
        }
        self.answers().await;
    }

    /// Prints what comes back to this resident.
    async fn answers(&mut self) {
        let mut wait = ANSWER_MAX;
        loop {
            tokio::select! {
                Ok(sent) = self.telegram.recv() => if sent.chat_id == self.who.chat {
                    self.show_telegram(sent);
                    wait = ANSWER_FOLLOWS;
                },
                Ok(sent) = self.sms.recv() => if sent.to == self.who.phone {
                    self.stage.out.line(frame(&format!("SMS, {} part(s)", sent.parts), &sent.text));
                    wait = ANSWER_FOLLOWS;
                },
                () = tokio::time::sleep(wait) => return,
            }
        }
    }

    fn show_telegram(&mut self, sent: SentMessage) {
        self.buttons = sent.buttons.into_iter().flatten().collect();
        let mut text = sent.text;
        for (number, button) in (1..).zip(&self.buttons) {
            let (Button::Choice { label, .. } | Button::ShareContact { label } | Button::Link { label, .. }) =
                button;
            text.push_str(&format!("\n[{number}] {label}"));
        }
        self.stage.out.line(frame("Telegram", &text));
    }
}

fn frame(head: &str, text: &str) -> String {
    format!("┌ {head}\n│ {}", text.replace('\n', "\n│ "))
}
