//! The bot and the fake against each other, over a real socket.

use std::net::SocketAddr;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    fake::{FAKE_USERNAME, FakeBotApi, FakeOptions, Fault},
    *,
};
use crate::{
    channels::{ChannelEvent, Incoming},
    domain::{Body, DeliveryId, Going, Inbound, InboundContent, Language, LoadPicture},
};

const TOKEN: &str = "42:AAF7-not-a-token-of-any-bot-gYncWnm5Iyf";
const CHAT: i64 = 990_001;
const PATIENCE: Duration = Duration::from_secs(15);

fn start_of_day() -> DateTime<Utc> {
    DateTime::from_timestamp(1_668_000_000, 0).expect("in range")
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn fake(options: FakeOptions) -> (FakeBotApi, DropGuard) {
    let stop = CancellationToken::new();
    let fake = FakeBotApi::start(any_port(), TOKEN, options, stop.clone()).await;
    (fake.expect("a free port"), stop.drop_guard())
}

fn config(api_url: String) -> TelegramConfig {
    TelegramConfig {
        token: Some(TOKEN.into()),
        api_url,
        ..TelegramConfig::default()
    }
}

fn bot(api_url: String, clock: &Clock) -> Telegram {
    let bot = Telegram::new(&config(api_url), clock.clone()).expect("a good configuration");
    bot.expect("it has a token")
}

fn outbound(chat: i64, text: &str) -> Outbound {
    Outbound {
        delivery: DeliveryId(1),
        to: Address::Chat(chat),
        body: Body::text(text),
        expires_at: start_of_day() + TimeDelta::days(1),
        live: None,
    }
}

async fn next(inbox: &mut mpsc::Receiver<Incoming>) -> (Inbound, oneshot::Sender<()>) {
    let incoming = timeout(PATIENCE, inbox.recv())
        .await
        .expect("in time")
        .expect("open");
    match incoming.event {
        ChannelEvent::Inbound(inbound) => (inbound, incoming.recorded),
        ChannelEvent::Receipt(_) => panic!("Telegram gives no receipts"),
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// A bot that polls, with what it hands over, until the tasks are dropped.
fn polling(bot: &Telegram, stop: &CancellationToken) -> (mpsc::Receiver<Incoming>, JoinSet<()>) {
    let (incoming, inbox) = mpsc::channel(64);
    let menu = vec![("start".to_owned(), "开始".to_owned())];
    let english = vec![("start".to_owned(), "Start".to_owned())];
    let mut tasks = JoinSet::new();
    let (bot, stop) = (bot.clone(), stop.clone());
    tasks.spawn(async move {
        bot.run(incoming, vec![(None, menu), (Some("en"), english)], stop)
            .await;
    });
    (inbox, tasks)
}

#[tokio::test]
async fn text_and_buttons_arrive() {
    let clock = Clock::manual(start_of_day());
    let (fake, _stop) = fake(FakeOptions::new(clock.clone())).await;
    let bot = bot(fake.url(), &clock);
    let mut feed = fake.subscribe();
    let hostile = "<b>王</b> & *粗* _x_ \u{202e}desrever\u{202c} \u{1f9d1}\u{200d}\u{2695}\u{fe0f} ';--";
    let mut message = outbound(CHAT, hostile);
    let choice = Button::Choice {
        label: "我的时间".into(),
        data: "window".into(),
    };
    let link = Button::Link {
        label: "健康信息".into(),
        url: "https://example.org/a?b=1".into(),
    };
    message.body.buttons = vec![vec![choice.clone(), link], vec![], vec![choice.clone()]];
    let taken = bot.send(&message).await.expect("taken");
    assert_eq!((taken.refs.len(), taken.receipts_follow), (1, false));
    let sent = feed.recv().await.expect("sent");
    assert_eq!(sent.text, hostile);
    assert_eq!(sent.at, start_of_day());
    message.body.buttons.remove(1);
    assert_eq!(sent.buttons, message.body.buttons);
    assert_eq!(taken.refs[0], sent.message_id.to_string());

    let share = Button::ShareContact {
        label: "分享我的电话".into(),
    };
    message.body.buttons = vec![vec![share.clone()], vec![choice]];
    bot.send(&message).await.expect("taken");
    let key = Button::Choice {
        label: "我的时间".into(),
        data: "我的时间".into(),
    };
    assert_eq!(fake.sent()[1].buttons, [vec![share], vec![key]]);
    assert_eq!(fake.count(), 2);
}

#[tokio::test]
async fn a_long_text_goes_out_in_parts_at_the_chats_pace() {
    let clock = Clock::fast(start_of_day(), 20.0);
    let mut options = FakeOptions::new(clock.clone());
    options.messages_per_second_per_chat = Some(1);
    let (fake, _stop) = fake(options).await;
    let text = "请于十点到采样点\u{1f9ea}。".repeat(1000);
    let mut message = outbound(CHAT, &text);
    let button = Button::Choice {
        label: "好".into(),
        data: "ok".into(),
    };
    message.body.buttons = vec![vec![button]];
    let taken = bot(fake.url(), &clock).send(&message).await.expect("taken");
    let sent = fake.sent();
    assert_eq!(taken.refs.len(), 3);
    assert_eq!(parts(&text), 3);
    assert_eq!(
        sent.iter().map(|part| part.text.as_str()).collect::<String>(),
        text
    );
    assert!(sent[0].buttons.is_empty() && sent[2].buttons == message.body.buttons);

    let endless = outbound(CHAT, &"长".repeat(TEXT_UNITS_MAX * PARTS_MAX + 1));
    let refused = bot(fake.url(), &clock).send(&endless).await;
    assert!(matches!(refused, Err(SendError::Refused(_))));
    assert_eq!(fake.count(), 3);
}

#[test]
fn parts_end_at_lines_and_spaces_and_are_never_blank() {
    let line = format!("{}\n", "a".repeat(99));
    let text = line.repeat(100);
    let cut = split(&text);
    assert_eq!(cut.concat(), text);
    assert!(cut.iter().all(|part| part.ends_with('\n')));
    // 4096 units, but more bytes and fewer characters.
    assert_eq!(split(&"\u{1f9ea}".repeat(TEXT_UNITS_MAX / 2)).len(), 1);
    assert_eq!(split(&"\u{1f9ea}".repeat(TEXT_UNITS_MAX / 2 + 1)).len(), 2);
    assert_eq!(split(&format!("好{}", " ".repeat(2 * TEXT_UNITS_MAX))).len(), 1);
    assert!(split(" \n").is_empty());
}

#[tokio::test]
async fn a_429_gives_the_exact_wait_and_limits_hold_by_the_clock() {
    let clock = Clock::manual(start_of_day());
    let mut options = FakeOptions::new(clock.clone());
    options.messages_per_second = Some(2);
    options.messages_per_second_per_chat = Some(1);
    let (fake, _stop) = fake(options).await;
    let bot = bot(fake.url(), &clock);
    let wait = |seconds| {
        Err(SendError::Throttled {
            retry_after: Duration::from_secs(seconds),
        })
    };
    assert!(bot.send(&outbound(1, "一")).await.is_ok());
    assert_eq!(bot.send(&outbound(1, "同一人")).await, wait(1));
    assert!(bot.send(&outbound(2, "二")).await.is_ok());
    assert_eq!(bot.send(&outbound(3, "太快")).await, wait(1));
    clock.advance(TimeDelta::milliseconds(999));
    assert_eq!(bot.send(&outbound(3, "还太快")).await, wait(1));
    clock.advance(TimeDelta::milliseconds(1));
    assert!(bot.send(&outbound(3, "三")).await.is_ok());
    fake.set_fault(Fault::TooManyRequests { retry_after: 10_072 });
    assert_eq!(bot.send(&outbound(4, "慢")).await, wait(10_072));
    assert_eq!((fake.count(), fake.throttled()), (3, 4));
}

#[tokio::test]
async fn a_blocked_bot_is_a_bad_address_until_it_is_let_in() {
    let clock = Clock::manual(start_of_day());
    let (fake, _stop) = fake(FakeOptions::new(clock.clone())).await;
    let bot = bot(fake.url(), &clock);
    fake.user_blocks(CHAT);
    let refused = bot.send(&outbound(CHAT, "在吗")).await;
    assert!(matches!(refused, Err(SendError::BadAddress(_))), "{refused:?}");
    fake.user_unblocks(CHAT);
    assert!(bot.send(&outbound(CHAT, "在吗")).await.is_ok());
    let nobody = bot.send(&outbound(-7, "在吗")).await;
    assert!(matches!(nobody, Err(SendError::BadAddress(_))), "{nobody:?}");
    let mut long_data = outbound(CHAT, "选");
    long_data.body.buttons = vec![vec![Button::Choice {
        label: "好".into(),
        data: "x".repeat(65),
    }]];
    let refused = bot.send(&long_data).await;
    assert_eq!(
        refused,
        Err(SendError::Refused("Bad Request: BUTTON_DATA_INVALID".into()))
    );
}

#[tokio::test]
async fn server_errors_and_silence_are_bounded() {
    let clock = Clock::manual(start_of_day());
    let (fake, _stop) = fake(FakeOptions::new(clock.clone())).await;
    let bot = bot(fake.url(), &clock);
    bot.send(&outbound(CHAT, "一"))
        .await
        .expect("taken, and a connection is open");
    // From here on time jumps to whatever is awaited.
    tokio::time::pause();
    let started = Instant::now();
    fake.set_fault(Fault::ServerError);
    let failed = bot.send(&outbound(CHAT, "二")).await;
    assert!(matches!(failed, Err(SendError::Unreachable(_))), "{failed:?}");
    assert!(started.elapsed() <= SEND_TIMEOUT);
    let started = Instant::now();
    fake.set_fault(Fault::Hang);
    let silent = bot.send(&outbound(CHAT, "三")).await;
    assert!(matches!(silent, Err(SendError::Ambiguous(_))), "{silent:?}");
    assert!(started.elapsed() <= SEND_TIMEOUT);
}

#[tokio::test]
async fn nobody_there_and_a_wrong_token_are_worth_another_try() {
    let clock = Clock::manual(start_of_day());
    let listener = TcpListener::bind(any_port()).await.expect("a free port");
    let nobody = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let failed = bot(nobody, &clock).send(&outbound(CHAT, "一")).await;
    let Err(SendError::Unreachable(reason)) = failed else {
        panic!("{failed:?}")
    };
    assert!(!reason.contains("AAF7"), "{reason}");

    let (fake, _stop) = fake(FakeOptions::new(clock.clone())).await;
    for token in ["43:AAAA", "nonsense"] {
        let mut config = config(fake.url());
        config.token = Some(token.into());
        let bot = Telegram::new(&config, clock.clone())
            .expect("good")
            .expect("a token");
        let failed = bot.send(&outbound(CHAT, "一")).await;
        assert_eq!(
            failed,
            Err(SendError::Unreachable(TOKEN_REFUSED.into())),
            "{token}"
        );
        assert!(
            bot.username()
                .await
                .expect_err("refused")
                .contains("telegram.token")
        );
    }
}

#[test]
fn refusals_say_what_to_do_next_and_name_nobody() {
    let kind = |text: &str| match refusal(text) {
        SendError::Throttled { .. } => "throttled",
        SendError::Unreachable(_) => "unreachable",
        SendError::Ambiguous(_) => "ambiguous",
        SendError::Refused(_) => "refused",
        SendError::BadAddress(_) => "bad address",
    };
    for (text, expected) in [
        ("Forbidden: bot was blocked by the user", "bad address"),
        ("Forbidden: user is deactivated", "bad address"),
        ("Bad Request: chat not found", "bad address"),
        (
            "Forbidden: bot can't initiate conversation with a user",
            "bad address",
        ),
        ("Forbidden: bot was kicked from the group chat", "bad address"),
        ("Bad Request: PEER_ID_INVALID", "bad address"),
        ("Bad Request: message is too long", "refused"),
        ("Unauthorized", "unreachable"),
        ("Bad Gateway", "unreachable"),
        ("Too Many Requests: retry after 2282", "throttled"),
    ] {
        assert_eq!(kind(text), expected, "{text}");
    }
    let named = "Bad Request: inline keyboard button URL 'https://x/王' is invalid";
    assert_eq!(
        without_personal_data(named),
        "Bad Request: inline keyboard button URL"
    );
    assert_eq!(
        without_personal_data("Bad Request: user 990001 left"),
        "Bad Request: user"
    );
    assert_eq!(
        without_personal_data("Bad Request: can't parse"),
        "Bad Request: can't parse"
    );
}

#[test]
fn settings_are_checked_and_secrets_stay_hidden() {
    let clock = Clock::manual(start_of_day());
    let good = config("http://127.0.0.1:8081/".into());
    let bot = Telegram::new(&good, clock.clone())
        .expect("good")
        .expect("a token");
    assert!(!format!("{bot:?}").contains("42:"));
    let without = TelegramConfig::default();
    assert!(Telegram::new(&without, clock.clone()).expect("good").is_none());
    for url in [
        "",
        "api.telegram.org",
        "ftp://x",
        "mailto:a@b.c",
        "https://x/?a=b",
    ] {
        let bad = Telegram::new(&config(url.into()), clock.clone());
        assert!(matches!(bad, Err(BadTelegramConfig::ApiUrl)), "{url}");
    }
    let mut webhook = good;
    webhook.mode = TelegramMode::Webhook;
    let bad = Telegram::new(&webhook, clock.clone());
    assert!(matches!(bad, Err(BadTelegramConfig::WebhookUrl)));
    webhook.webhook_url = Some("https://weir.example.org/telegram/webhook".into());
    webhook.webhook_secret = Some("a secret".into());
    let bad = Telegram::new(&webhook, clock.clone());
    assert!(matches!(bad, Err(BadTelegramConfig::WebhookSecret)));
    webhook.webhook_secret = Some("a_secret-1".into());
    assert!(Telegram::new(&webhook, clock).is_ok());
}

#[tokio::test]
async fn updates_are_acknowledged_only_once_recorded() {
    let clock = Clock::manual(start_of_day());
    let (fake, _stop) = fake(FakeOptions::new(clock.clone())).await;
    let stop = CancellationToken::new();
    let (mut inbox, mut tasks) = polling(&bot(fake.url(), &clock), &stop);
    until("the menu is set", || fake.commands("en").is_some()).await;
    assert!(fake.commands("").is_some());

    let hostile = format!("<script>\u{202e}{}", "王".repeat(4000));
    let update = fake.user_says(CHAT, "zh-hant", "王", &hostile);
    fake.deliver_raw_update(update.clone());
    fake.deliver_raw_update(json!({ "a_new_kind": { "x": 1 } }));
    fake.deliver_raw_update(json!({ "message": "not a message" }));
    let (first, recorded) = next(&mut inbox).await;
    assert_eq!(first.from, Address::Chat(CHAT));
    assert_eq!(first.content, InboundContent::Text(hostile));
    assert_eq!(first.language, Some(Language::ZhHant));
    assert_eq!(first.received_at, start_of_day());
    assert_eq!(first.external_id, update["update_id"].to_string());
    drop(recorded);

    // The duplicate beside it may be recorded: they come again, both, until the first is.
    let (duplicate, recorded) = next(&mut inbox).await;
    assert_eq!(duplicate, first);
    let _ = recorded.send(());
    for _ in 0..2 {
        assert_eq!(fake.pending_updates(), 4);
        let (again, recorded) = next(&mut inbox).await;
        assert_eq!(again, first);
        recorded.send(()).expect("awaited");
    }
    until("all is acknowledged", || fake.pending_updates() == 0).await;
    assert!(inbox.try_recv().is_err(), "what cannot be read is passed over");
    stop.cancel();
    let ended = timeout(Duration::from_secs(1), tasks.join_next()).await;
    assert!(ended.is_ok(), "it stops at once");
}

#[tokio::test]
async fn a_stop_interrupts_a_long_poll() {
    let clock = Clock::manual(start_of_day());
    let (fake, _stop) = fake(FakeOptions::new(clock.clone())).await;
    let stop = CancellationToken::new();
    let bot = bot(fake.url(), &clock);
    let (mut inbox, mut tasks) = polling(&bot, &stop);
    assert_eq!(bot.username().await.as_deref(), Ok(FAKE_USERNAME));
    fake.user_says(CHAT, "en", "W", "hello");
    next(&mut inbox).await.1.send(()).expect("awaited");
    until("it is acknowledged", || fake.pending_updates() == 0).await;
    stop.cancel();
    let ended = timeout(Duration::from_secs(1), tasks.join_next()).await;
    assert!(ended.is_ok(), "it stops at once");
}

#[tokio::test]
async fn every_kind_of_update_is_understood() {
    let clock = Clock::manual(start_of_day());
    let (fake, _stop) = fake(FakeOptions::new(clock.clone())).await;
    let stop = CancellationToken::new();
    let (mut inbox, _tasks) = polling(&bot(fake.url(), &clock), &stop);
    fake.user_says(CHAT, "en-GB", "W", "/start u-7_x");
    fake.user_says(CHAT, "fr", "W", "/start");
    fake.user_says(CHAT, "zh", "W", "/window");
    fake.user_taps(CHAT, "visit:1");
    fake.user_shares_contact(CHAT, "8619900000001", true);
    fake.user_shares_contact(CHAT, "19900000002", false);
    fake.user_blocks(CHAT);
    fake.user_unblocks(CHAT);
    let private = json!({ "id": CHAT, "type": "private" });
    let group = json!({ "id": -5, "type": "group", "title": "三栋" });
    let photo = json!({ "message_id": 1, "date": 0, "chat": private, "photo": [], "caption": "看" });
    fake.deliver_raw_update(json!({ "message": photo }));
    fake.deliver_raw_update(json!({ "message": { "date": 0, "chat": group, "text": "大家好" } }));
    fake.deliver_raw_update(json!({ "edited_message": { "date": 0, "chat": private, "text": "改" } }));
    let odd =
        json!({ "date": 0, "chat": private, "text": "看得懂", "entities": [{ "type": "of_tomorrow" }] });
    fake.deliver_raw_update(json!({ "message": odd }));

    let contact = |phone: &str, own| InboundContent::Contact {
        phone: phone.into(),
        own,
    };
    for (content, language) in [
        (InboundContent::Start("u-7_x".into()), Some(Language::En)),
        (InboundContent::Start(String::new()), None),
        (InboundContent::Text("/window".into()), Some(Language::ZhHans)),
        (InboundContent::Choice("visit:1".into()), Some(Language::ZhHans)),
        (contact("+8619900000001", true), Some(Language::ZhHans)),
        (contact("19900000002", false), Some(Language::ZhHans)),
        (
            InboundContent::Membership { allowed: false },
            Some(Language::ZhHans),
        ),
        (
            InboundContent::Membership { allowed: true },
            Some(Language::ZhHans),
        ),
        (InboundContent::Other, None),
        (InboundContent::Text("看得懂".into()), None),
    ] {
        let (inbound, recorded) = next(&mut inbox).await;
        assert!(
            inbound.content == content && inbound.language == language,
            "{content:?}"
        );
        assert_eq!(inbound.from, Address::Chat(CHAT));
        recorded.send(()).expect("awaited");
    }
    until("all is acknowledged", || fake.pending_updates() == 0).await;
    until("the tap is answered", || fake.open_taps() == 0).await;
}

#[tokio::test]
async fn it_keeps_trying_until_the_server_knows_the_token() {
    let clock = Clock::manual(start_of_day());
    let early_stop = CancellationToken::new();
    let options = FakeOptions::new(clock.clone());
    let other = FakeBotApi::start(any_port(), "1:OTHER", options.clone(), early_stop.clone()).await;
    let other = other.expect("a free port");
    let address: SocketAddr = other.url()["http://".len()..].parse().expect("an address");
    let stop = CancellationToken::new();
    let (mut inbox, mut tasks) = polling(&bot(other.url(), &clock), &stop);
    sleep(Duration::from_millis(300)).await;
    early_stop.cancel();
    drop(other);
    assert!(tasks.try_join_next().is_none(), "it has not given up");
    let fake = loop {
        match FakeBotApi::start(address, TOKEN, options.clone(), stop.clone()).await {
            Ok(fake) => break fake,
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    };
    fake.user_says(CHAT, "zh", "王", "有人吗");
    let (inbound, _recorded) = next(&mut inbox).await;
    assert_eq!(inbound.content, InboundContent::Text("有人吗".into()));
    stop.cancel();
}

#[tokio::test]
async fn the_webhook_takes_what_carries_the_secret_and_confirms_what_is_recorded() {
    let clock = Clock::manual(start_of_day());
    let (fake, _stop) = fake(FakeOptions::new(clock.clone())).await;
    let listener = TcpListener::bind(any_port()).await.expect("a free port");
    let url = format!("http://{}{}", listener.local_addr().expect("bound"), WEBHOOK_PATH);
    let mut config = config(fake.url());
    config.mode = TelegramMode::Webhook;
    config.webhook_url = Some(url.clone());
    config.webhook_secret = Some("right".into());
    let bot = Telegram::new(&config, clock.clone())
        .expect("good")
        .expect("a token");
    let (incoming, mut inbox) = mpsc::channel(64);
    let router = bot.webhook_router(incoming.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        axum::serve(listener, router).await.expect("it serves");
    });
    tasks.spawn(async move { bot.run(incoming, Vec::new(), CancellationToken::new()).await });

    fake.user_says(CHAT, "zh", "王", "几点");
    let (first, recorded) = next(&mut inbox).await;
    drop(recorded);
    let (again, recorded) = next(&mut inbox).await;
    assert_eq!(first, again);
    assert_eq!(fake.pending_updates(), 1);
    recorded.send(()).expect("awaited");
    until("it is taken", || fake.pending_updates() == 0).await;
    fake.user_taps(CHAT, "window");
    next(&mut inbox).await.1.send(()).expect("awaited");
    until("the tap is answered", || fake.open_taps() == 0).await;

    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let call = async |secret: Option<&str>, body: &str| {
        let mut request = client.post(&url).body(body.to_owned());
        if let Some(secret) = secret {
            request = request.header("X-Telegram-Bot-Api-Secret-Token", secret);
        }
        request.send().await.expect("an answer").status().as_u16()
    };
    let update = r#"{"update_id":9,"message":{"date":0,"chat":{"id":1,"type":"private"},"text":"假"}}"#;
    assert_eq!(call(None, update).await, 401);
    assert_eq!(call(Some("wrong"), update).await, 401);
    assert_eq!(call(Some("right"), "no update").await, 200);
    assert_eq!(call(Some("right"), &"x".repeat(2 * 1024 * 1024)).await, 200);
    assert!(inbox.try_recv().is_err(), "none of it was handed over");
}

#[tokio::test]
async fn the_fake_reads_all_forms_and_refuses_as_telegram_does() {
    let (fake, _stop) = fake(FakeOptions::new(Clock::manual(start_of_day()))).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = |method: &str| format!("{}/bot{TOKEN}/{method}", fake.url());
    let read = async |request: reqwest::RequestBuilder| -> (Value, u64) {
        let answer = request.send().await.expect("an answer");
        let answer: Value = answer.json().await.expect("JSON");
        let code = answer["error_code"].as_u64().unwrap_or(200);
        (answer, code)
    };
    let form = client
        .post(url("sendMessage"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("chat_id=5&text=%E4%B8%80+1&reply_markup=%7B%22keyboard%22%3A%5B%5B%7B%22text%22%3A%22a%22%7D%5D%5D%7D");
    assert_eq!(read(form).await.0["result"]["text"], "一 1");
    let multipart = "--XX\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n5\r\n--XX\r\n\
                     Content-Disposition: form-data; name=\"text\"\r\n\r\n二\r\n--XX--\r\n";
    let multipart = client
        .post(url("SENDMESSAGE"))
        .header("content-type", "multipart/form-data; boundary=XX")
        .body(multipart);
    assert_eq!(read(multipart).await.0["result"]["chat"]["id"], 5);
    let query = client.get(url("sendMessage?chat_id=5&text=3"));
    assert_eq!(read(query).await.1, 200);
    assert_eq!(fake.sent()[0].buttons.len(), 1);
    let edit = json!({ "chat_id": 5, "message_id": fake.sent()[1].message_id, "text": "改" });
    assert_eq!(read(client.post(url("editMessageText")).json(&edit)).await.1, 200);
    assert_eq!(fake.sent()[1].text, "改");

    let huge = json!({ "chat_id": 5, "text": "长".repeat(4 * 1024 * 1024 / 3) });
    let (answer, code) = read(client.post(url("sendMessage")).json(&huge)).await;
    assert_eq!(
        (&answer["description"], code),
        (&json!("Bad Request: message is too long"), 400)
    );
    assert_eq!(read(client.post(url("sendRocket"))).await.1, 404);
    assert_eq!(
        read(client.post(format!("{}/bot1:AAA/getMe", fake.url())))
            .await
            .1,
        401
    );
    assert_eq!(read(client.post(format!("{}/other", fake.url()))).await.1, 404);
    let late = json!({ "callback_query_id": "1" });
    assert_eq!(
        read(client.post(url("answerCallbackQuery")).json(&late)).await.1,
        400
    );

    // A second poller ends the first; polls end while a webhook is set.
    let poll = json!({ "timeout": 30 });
    let first = read(client.post(url("getUpdates")).json(&poll));
    let second = async {
        sleep(Duration::from_millis(100)).await;
        read(client.post(url("getUpdates")).json(&json!({ "timeout": 0 })))
            .await
            .1
    };
    assert_eq!(tokio::join!(async { first.await.1 }, second), (409, 200));
    let webhook = json!({ "url": "http://127.0.0.1:9/" });
    assert_eq!(read(client.post(url("setWebhook")).json(&webhook)).await.1, 200);
    assert_eq!(read(client.post(url("getUpdates")).json(&poll)).await.1, 409);
    let (info, _) = read(client.get(url("getWebhookInfo"))).await;
    assert_eq!(info["result"]["url"], "http://127.0.0.1:9/");
    let open = json!({ "url": "http://example.org/" });
    assert_eq!(read(client.post(url("setWebhook")).json(&open)).await.1, 400);
}

#[tokio::test]
async fn a_picture_is_drawn_and_brought_with_its_text() {
    let clock = Clock::manual(start_of_day());
    let (fake, _stop) = fake(FakeOptions::new(clock.clone())).await;
    let bot = bot(fake.url(), &clock);
    let load = LoadPicture {
        from: (9, 0),
        minutes: vec![Some((80, Going::Fully)); 30],
    };
    let choice = Button::Choice {
        label: "看".into(),
        data: "w:show:1".into(),
    };
    let mut message = outbound(CHAT, "放行节奏:正常。\r\n--\"XX\" name=\"photo\"");
    message.body.drawing = Some(Box::new(load.clone()));
    message.body.buttons = vec![vec![choice.clone()]];
    let taken = bot.send(&message).await.expect("taken");
    let sent = fake.sent().remove(0);
    assert_eq!(sent.picture, crate::pacing::picture::png(&load));
    assert_eq!(
        (sent.text, sent.buttons),
        (message.body.text.clone(), vec![vec![choice]])
    );
    assert_eq!(taken.refs, [sent.message_id.to_string()]);

    // What stands under no picture goes without one: a longer text, and a history of nothing.
    for (text, minutes) in [
        ("长".repeat(1025), load.minutes.clone()),
        ("短".into(), vec![None]),
    ] {
        message.body.text = text;
        message.body.drawing = Some(Box::new(LoadPicture {
            minutes,
            ..load.clone()
        }));
        bot.send(&message).await.expect("taken");
        let sent = fake.sent().pop().expect("sent");
        assert_eq!((sent.picture, sent.text), (None, message.body.text.clone()));
    }
    // Telegram's refusals are read as they are of a text.
    message.body.drawing = Some(Box::new(load));
    fake.set_fault(Fault::TooManyRequests { retry_after: 3 });
    let throttled = SendError::Throttled {
        retry_after: Duration::from_secs(3),
    };
    assert_eq!(bot.send(&message).await, Err(throttled));
    fake.set_fault(Fault::ServerError);
    let down = bot.send(&message).await;
    assert!(matches!(down, Err(SendError::Unreachable(_))), "{down:?}");
    fake.set_fault(Fault::None);
    fake.user_blocks(CHAT);
    let blocked = bot.send(&message).await;
    assert!(matches!(blocked, Err(SendError::BadAddress(_))), "{blocked:?}");
}
