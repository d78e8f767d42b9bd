# What the bot says in a dialogue. `.sms` is the short form for text messages.

greeting = 您好，這裡是{ $sender }。
    我告訴您：什麼時候、到哪裡做核酸採樣。
    .sms = 您好。

## The person's home

ask-district = 您住在哪個區？
ask-street = 您住在哪個街道？
ask-community = 您住在哪個社區？
    請選一個，也可以打字。例如：幸福社區 3棟2單元。
    .sms = 您住哪個社區？請回覆數字，或寫：幸福社區 3棟2單元
ask-building = { $area }：您住幾棟？
    請選一個，也可以打字。例如：3棟2單元。
    .sms = { $area }：您住幾棟？請回覆數字。
ask-building-number = { $area }：您住幾棟？請回覆{ $first }到{ $last }的數字，或寫：3棟2單元
ask-unit = { $area }：您住幾單元？
    .sms = { $area }：您住幾單元？請回覆數字。
ask-unit-number = { $area }：您住幾單元？請回覆{ $first }到{ $last }的數字。
not-found = 沒有找到這個地址。
several-found = 找到幾個地址。請選一個：
    .sms = 找到幾個地址，請回覆數字：
too-many-found = 符合的地址太多。請寫完整一些。例如：幸福社區 3棟2單元。
    .sms = 符合的地址太多，請寫完整一些。
unknown-code = 這個QR碼認不出來。請您自己選住址。
no-places = 住址名單還沒有準備好。請以後再來，或聯絡社區工作人員。
home-set = 已記住您的住址：{ $place }。
next-page = 下一頁
previous-page = 上一頁
start-over = 重新選擇

## The person's own phone number

ask-phone = 請按下面的按鈕，傳送您的手機號碼。
    號碼只用來核對社區名冊，確認是您本人。
    不傳也可以，照樣能查時段。
share-phone = 傳送手機號碼
later = 以後再說
later-said = 好的。想傳的時候，請回覆「手機號」。
not-own-contact = 別人的名片不能用。
    請按下面的按鈕，傳送您自己的號碼。
linked = 核對好了。您是{ $name }。以後您的通知發到這裡。
not-me = 不是我
check-roster = 好的。請聯絡社區工作人員核對名冊。
which-resident = 這個號碼登記了幾位居民。您是哪一位？
none-of-them = 都不是
not-on-roster = 名冊裡沒有這個手機號碼。
    請聯絡社區工作人員登記。
    您仍然可以在這裡查時段。
offer-expired = 這個選項已經過期。請回覆「手機號」，再來一次。

## The menu and its answers

menu = 請選擇：
    .sms = 請回覆數字：
menu-open = 選單
menu-windows = 我的時段
menu-other-time = 換時間
menu-home = 換地址
menu-language = 語言 Language
menu-stop = 停止通知
    .sms = 退訂
menu-start = 恢復通知
menu-help = 幫助
menu-person = 人工
menu-pass = 通行證明
menu-privacy = 隱私
help = 我可以告訴您：什麼時候、到哪裡做核酸採樣，核酸證明還有沒有效。
    您也可以直接寫問題，或寫樓棟單元，例如：3棟2單元。
    要找社區工作人員，請回覆“人工”。急病請撥打{ $emergency_number }。
    .sms = 我能告訴您採樣的時間地點、核酸證明是否有效。也可以直接寫問題。要找工作人員，請回覆：人工。急病請撥打{ $emergency_number }。
choose-language = 請選擇語言。
    Choose a language.
    .sms = 請選擇語言 / Language：
language-set = 好的，以後用繁體中文。
stop-ask = 要停止通知嗎？請按下面的按鈕，或回覆“退訂”。
    .sms = 要停止通知，請回覆：退訂
start-ask = 要收通知嗎？請按下面的按鈕，或回覆“訂閱”。
    .sms = 要收通知，請回覆：訂閱
stopped = 已停止向您發送通知。回覆「訂閱」可重新開啟。
stop-everywhere-offer = 您別的號碼和聊天也要停止嗎？
    要停止，請按下面的按鈕，或回覆「全部退訂」。
    .sms = 別的號碼和聊天也要停止，請回覆「全部退訂」。
stop-everywhere = 全部停止
stopped-everywhere = 已全部停止發送通知。回覆「訂閱」可重新開啟。
started = 已為您開啟通知。輪到您時會提早提醒。回覆「退訂」可隨時停止。
confirm-home = 要換到{ $place }嗎？請回覆{ $code }確認，10分鐘內有效。
confirm-stop-everywhere = 別的號碼和聊天也要停止嗎？請回覆{ $code }確認，10分鐘內有效。
confirm-failed = 驗證碼不對，或已過期。沒有改動。
confirm-wrong = 驗證碼不對。請看一看簡訊裡的四位數字，再回覆一次。還可以試{ $left }次。
confirm-digits = 還沒有改動。要確認，請回覆簡訊裡的四位數字；不改，就不用回覆。
confirm-too-many = 驗證碼發得太多了，沒有改動。請一小時以後再試，或聯絡社區工作人員。
unknown = 我沒有看懂。請選一個，或換個說法再寫一次。
    要找社區工作人員，請回覆“人工”。
    .sms = 我沒有看懂。請換個說法，要找工作人員請回覆：人工
words-only = 收到了。可是我只會看文字，看不了圖片、語音和位置。
    .sms = 我只會看文字。
emergency = 請馬上撥打{ $emergency_number }！
    或立即前往最近的急診。各大醫院急診24小時開放。
    我是自動回覆，不能替您呼救。

## Another time

other-time-offer = 您現在的時間：{ $time }。
    可以換成下面的時間，請選一個：
    .sms = 現在是{ $time }。可以換成下面的時間，請回覆數字：
other-time-which = 要換哪一個時間？
    .sms = 要換哪一個？請回覆數字：
other-time-keep = 不換了
other-time-kept = 好的，時間不變。
other-time-none = 現在沒有別的空位。您的時間不變：{ $time }。
    來不了，請聯絡社區工作人員。
    .sms = 現在沒有別的空位，時間不變：{ $time }。來不了，請找社區工作人員。
other-time-soon = 您的時間快到了：{ $time }。現在不能換，請按時來。
    來不了，請聯絡社區工作人員。
    .sms = 時間快到了：{ $time }。現在不能換，請按時來。來不了，請找社區工作人員。
other-time-nothing = 您家現在沒有採樣安排，不用換時間。
other-time-prove = 換時間，要先確認是您本人。
other-time-not-registered = 名冊裡沒有這個號碼，不能用它換時間。請找社區工作人員。
other-time-gone = 這個時間剛剛被別人選走了。
other-time-confirm = 要換到{ $time }嗎？請回覆{ $code }確認，10分鐘內有效。
other-time-done = 換好了。您和用這個號碼登記的家人，請按新的時間來。

## Talks with a person

handed-over = 已轉給社區工作人員，會在這裡答覆您。
    工作人員答覆以前，我不自動回答。要結束，請回覆“結束”。
    .sms = 已轉工作人員答覆，我暫不自動回答。結束請回覆：結束
handed-over-danger = 我也已通知社區工作人員，會在這裡答覆您。
    工作人員答覆以前，我不自動回答。要結束，請回覆“結束”。
    .sms = 我也已通知工作人員，暫不自動回答。結束請回覆：結束
cannot-answer = 這個問題我不能回答。
talk-end = 結束
talk-ended = 好的，和工作人員的對話結束了。
talk-timed-out = 和工作人員的對話已經結束。有事請再寫給我。要找工作人員，請回覆“人工”。
too-many = 您發得太快，我看不過來。請過一分鐘再寫。急病請撥打{ $emergency_number }。

## Private data

privacy = 我保存：您的聊天號或手機號、語言、住址、您寫給我的話。社區名冊裡有您的，還有名冊資料。
    都加密保存，只用來通知您、答覆您。您寫的話，{ $days }天後刪除。
    要馬上刪除，請回覆“刪除我的資料”。
    .sms = 我加密保存您的號碼、語言、住址和您寫的話，只用來通知、答覆您，{ $days }天後刪除您寫的話。要馬上刪除，請回覆：刪除我的資料
forget-ask = 要刪除您寫給我的話、您選的住址和語言嗎？
    您申請的上門採樣，也會取消並刪除。
    社區名冊不會變。要改名冊，請找社區工作人員。
forget-yes = 刪除我的資料
forget-no = 不刪除
confirm-forget = 要刪除您寫的話、住址、語言，取消您的上門採樣嗎？請回覆{ $code }確認，10分鐘內有效。名冊不會變。
forgotten = 已經刪除。社區名冊由社區保管，要改請找社區工作人員。

## The person's pass

pass-prove = 查通行證明，要先確認是您本人。
pass-not-registered = 名冊裡沒有這個號碼，不能用它查通行證明。請找社區工作人員。
pass-whose = 要查哪一位的？
    .sms = 要查哪一位的？請回覆數字：
pass-heading = { $name }的核酸證明：
    .sms = { $name }：
pass-until-sampled = 有效到{ $until }。
    規定：{ $hours }小時({ $since }起)，從採樣時間算。採樣時間：{ $at }。
    .sms = 有效到{ $until }。按{ $hours }小時規定({ $since }起)，從採樣{ $at }算。
pass-until-reported = 有效到{ $until }。
    規定：{ $hours }小時({ $since }起)，從出結果的時間算。出結果時間：{ $at }。
    .sms = 有效到{ $until }。按{ $hours }小時規定({ $since }起)，從出結果{ $at }算。
pass-over-sampled = 已經過期：只到{ $until }。
    規定：{ $hours }小時({ $since }起)，從採樣時間算。採樣時間：{ $at }。
    .sms = 已過期，只到{ $until }。按{ $hours }小時規定({ $since }起)，從採樣{ $at }算。
pass-over-reported = 已經過期：只到{ $until }。
    規定：{ $hours }小時({ $since }起)，從出結果的時間算。出結果時間：{ $at }。
    .sms = 已過期，只到{ $until }。按{ $hours }小時規定({ $since }起)，從出結果{ $at }算。
pass-open = 規定：{ $hours }小時({ $since }起)。
    從採樣時間算，到{ $sampled }。
    從出結果的時間算，到{ $reported }。
    規定沒有寫明從哪個時間算，由社區確定。
    .sms = { $hours }小時規定({ $since }起)，從採樣算到{ $sampled }，從出結果算到{ $reported }，由社區確定。
pass-open-sampled = 規定：{ $hours }小時({ $since }起)。
    從採樣時間算，到{ $sampled }。
    規定沒有寫明從哪個時間算，由社區確定。
    .sms = { $hours }小時規定({ $since }起)，從採樣算到{ $sampled }，從哪個時間算由社區確定。
pass-for-with = { $purposes }，還要出示：{ $needs }，有一樣就行。
    .sms = { $purposes }還要看{ $needs }。
pass-for = { $purposes }，出示這份證明。
    .sms = { $purposes }看這份證明。
purpose-gate = 進出小區
purpose-public-transport = 坐公交、地鐵
    .sms = 坐公交地鐵
purpose-hospital = 去醫院看病
    .sms = 去醫院
need-entry-card = 小區出入登記卡
    .sms = 登記卡
need-e-pass = 電子通行證
    .sms = 電子通行證
list-and = {"，"}
    .sms = {"、"}
list-or = {"或"}
pass-awaited = 最近一次採樣的結果還沒有出來。
pass-none = 沒有查到核酸陰性證明。什麼時候做核酸，請回覆“時段”。
    .sms = 沒有查到核酸陰性證明。做核酸的時間，請回覆：時段
pass-no-record = 登記系統裡沒有查到記錄。
pass-not-linked = 我查不到這份核酸記錄。
pass-unavailable = 現在查不到：登記系統沒有回應。請過一會儿再查。
pass-doubt = 這份記錄，我不能判斷。
pass-still-holds = 因為系統問題沒做上核酸的學生，秋季入學不受影響。情況緊急，請直接去急診，急診24小時開放。
    .sms = 因系統問題沒做上核酸的學生，入學不受影響。急診24小時開放。
