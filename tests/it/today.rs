//! `/today`: how a round stands at a glance, with the load as a picture, over the real Bot API protocol.

use chrono::TimeDelta;
use weir::{
    channels::telegram::fake::{Fault, SentMessage},
    domain::Role,
    store::LoadMinute,
};

use crate::{
    app::{TestApp, eventually},
    desks::{city, in_chat},
    support::{minutes, on_both, sqlite},
};

const PLACE: &str = "锦江区/春熙街道/梧桐社区";

async fn loads(app: &TestApp, ago: i64, utilisation: f64, mode: &str) {
    let load = LoadMinute {
        minute: app.clock.now() - TimeDelta::minutes(ago),
        utilisation,
        queue_seconds: 0.0,
        error_rate: 0.0,
        completed_per_second: 100.0,
        mode: mode.into(),
    };
    app.store().record_load(&load).await.expect("is kept");
}

async fn today(app: &TestApp, chat: i64) -> SentMessage {
    let before = app.to_chat(chat).len();
    app.bot_api.user_says(chat, "zh-hans", "…", "/today");
    // What else comes to the chat meanwhile is not meant.
    eventually("how things stand", async || {
        let mut sent = app.to_chat(chat).into_iter().skip(before);
        sent.find(|sent| sent.text.contains("放行节奏"))
    })
    .await
}

/// The picture's pixels that are of none of the colours that every picture has: paper, lines, nothing known.
fn bars(file: &[u8]) -> usize {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().expect("a PNG file");
    let mut pixels = vec![0; reader.output_buffer_size().expect("it fits")];
    let info = reader.next_frame(&mut pixels).expect("a picture");
    assert_eq!((info.width, info.height), (640, 320));
    let pixels = pixels[..info.buffer_size()].as_chunks::<3>().0;
    pixels
        .iter()
        .filter(|[red, green, blue]| red != green || green != blue)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_shows_the_workers_own_communities_and_the_load_as_a_picture() {
    on_both(async |test| {
        let (app, operator) = city(test).await;
        in_chat(&app, &operator, ("看客", Role::Viewer, PLACE), 2).await;
        let said = today(&app, 2).await;
        assert!(
            said.photo.is_none() && said.text.contains("没有收到登记系统的负荷数据"),
            "{}",
            said.text
        );
        assert!(!said.text.contains("本轮通知"), "{}", said.text);

        let (round, _) = app.plan().await;
        app.release_at_once(round).await;
        app.settled(round).await;
        loads(&app, 2, 0.5, "steady").await;
        loads(&app, 1, 1.1, "paused").await;
        app.text("+8619900000002", "a person please", 1).await;
        app.text("+8619900000001", "人工", 1).await;
        app.clock.advance(minutes(5));

        let own = today(&app, 2).await;
        for word in [
            "放行节奏",
            "送到2,",
            "采样点1个,一小时内报告过的0个",
            "等答复的居民:1位,最久的等了5分钟",
            "最新110%",
        ] {
            assert!(own.text.contains(word), "{word}: {}", own.text);
        }
        let file = own.picture.expect("a picture");
        assert!(file.len() < 20_000, "{}", file.len());
        let all = today(&app, 1).await;
        for word in ["送到3,", "采样点2个", "等答复的居民:2位"] {
            assert!(all.text.contains(word), "{word}: {}", all.text);
        }
        assert!(all.text.encode_utf16().count() <= 1024);
        // Three columns of half the height, and three of nearly all of it.
        let coloured = bars(&file);
        assert!(
            (3 * 110 + 3 * 240..3 * 120 + 3 * 260).contains(&coloured),
            "{coloured}"
        );

        // Three hours later nothing is known any more, and nobody is shown an empty picture.
        app.clock.advance(minutes(181));
        let later = today(&app, 2).await;
        assert!(later.picture.is_none() && later.text.contains("没有收到登记系统的负荷数据"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_fails_is_tried_again_and_shows_the_same() {
    let (app, _) = city(sqlite().await).await;
    loads(&app, 1, 0.9, "slowed").await;
    let before = app.to_chat(1).len();
    app.bot_api.set_fault(Fault::TooManyRequests { retry_after: 2 });
    app.bot_api.user_says(1, "zh-hans", "高敏", "/today");
    eventually("it is refused once", async || {
        (app.bot_api.throttled() > 0).then_some(())
    })
    .await;
    app.bot_api.set_fault(Fault::None);
    app.heard(1, before, 1).await;
    let sent = app.to_chat(1)[before].clone();
    assert!(
        sent.picture.is_some() && sent.text.contains("最新90%"),
        "{}",
        sent.text
    );
}
