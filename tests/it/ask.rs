//! `weir ask`: the approved answers on the terminal, and lines of JSON to measure with.

use std::process::Output;

use serde_json::{Value, json};

use crate::binary::{err, json as answer, out, run, weir};

/// What `weir ask` says to this input.
async fn fed(args: &[&str], input: &[u8]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("input");
    std::fs::write(&path, input).expect("written");
    let input = std::fs::File::open(&path).expect("opened");
    weir(folder.path(), args)
        .stdin(input)
        .output()
        .await
        .expect("the binary starts")
}

#[tokio::test]
async fn a_question_is_answered_in_the_approved_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = run(folder.path(), &["ask", "做核酸要带什么"]).await;
    assert!(said.status.success(), "{}", err(&said));
    assert_eq!(out(&said), "请全程戴口罩，随身带身份证件，提前准备好健康码。\n");
    let said = run(folder.path(), &["ask", "--lang", "en", "my dad collapsed"]).await;
    assert!(out(&said).contains("call 120 now"), "{}", out(&said));
    let said = answer(folder.path(), &["ask", "妈妈走不动,3栋2单元1203,请上门"]).await;
    assert_eq!(said["intent"], "home-sampling-apply");
    assert_eq!(
        said["slots"],
        json!({"building": "3", "unit": "2", "room": "1203"})
    );
    // What depends on the person is not guessed: a person takes it.
    let said = run(folder.path(), &["ask", "上门采样什么时候来"]).await;
    assert!(out(&said).contains("社区工作人员"), "{}", out(&said));
    let said = fed(&["ask"], "你好\n\n转人工\n".as_bytes()).await;
    assert_eq!(out(&said).lines().count(), 2, "{}", out(&said));
    let said = run(folder.path(), &["ask", "--lang", "fr", "bonjour"]).await;
    assert!(!said.status.success());
    assert!(err(&said).contains("zh-Hans, zh-Hant or en"), "{}", err(&said));
    let said = run(folder.path(), &["ask", "--help"]).await;
    assert!(out(&said).contains("--jsonl"), "{}", out(&said));
}

#[tokio::test]
async fn a_bad_line_is_named_and_the_next_one_is_read() {
    let mut input = b"{\"text\":\"\xe9\x80\x80\xe8\xae\xa2\",\"lang\":\"zh-Hans\"}\n\nnonsense\n{\"lang\":\"en\"}\n{\"text\":\"".to_vec();
    input.extend(vec![b'a'; 4 << 20]);
    input.extend(b"\"}\n\xff\xfe\n{\"text\":\"where is my site\",\"lang\":\"xx\"}\r\n{\"text\":\"\"}\n{\"text\":\"\\ud83d\"}\n{\"text\":\"Help\"}");
    let said = fed(&["ask", "--jsonl"], &input).await;
    assert!(said.status.success(), "{}", err(&said));
    let lines: Vec<Value> = out(&said)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let intents: Vec<&str> = lines.iter().filter_map(|line| line["intent"].as_str()).collect();
    assert_eq!(intents, ["opt-out", "find-time-window", "none", "help-menu"]);
    for line in &lines {
        let mut keys: Vec<&String> = line.as_object().expect("an object").keys().collect();
        keys.sort();
        assert_eq!(keys, ["intent", "score", "slots", "text"]);
        assert!(
            line["score"]
                .as_f64()
                .is_some_and(|score| (0.0..=1.0).contains(&score))
        );
    }
    let refused: Vec<String> = err(&said)
        .lines()
        .map(|line| line.chars().take(7).collect())
        .collect();
    assert_eq!(
        refused,
        ["line 3:", "line 4:", "line 5:", "line 6:", "line 9:"],
        "{}",
        err(&said)
    );
}
