# What is told about windows. `.sms` is the short form for text messages.

window-heading = 您的採樣時段：
    .sms = 核酸採樣通知：
reminder-heading = 提醒：快到您的採樣時段了。來不了，請找社區工作人員。
    .sms = 提醒，快到採樣時間了。來不了，請找社區工作人員。
correction-heading = 您的採樣時段有變動。以這條為準，請按新的時間來：
    .sms = 採樣時段有變動，以這條為準：
called-off-heading = 您的採樣時段取消了，請不要去採樣點。取消的是：
    .sms = 採樣取消，請不要去：
called-off-next = 有了新的時間，我們馬上通知您。
    .sms = 有新時間再通知您。
windows-heading = 您的採樣時段：
    .sms = 您的採樣時段：
window-line = { $time }
    地點：{ $site }
    住址：{ $place }
    .sms = { $place }，{ $time }，到{ $site }。
others-line = 其他家人：{ $time }
    地點：{ $site }
    住址：{ $place }
    .sms = { $place }，其他家人：{ $time }，到{ $site }。
green-line = 學生、老人、城市運行保障人員走綠色通道：{ $time }
    這段時間裡什麼時候來都可以。有專門的採樣台。
    地點：{ $site }
    住址：{ $place }
    .sms = { $place }，學生、老人、保障人員走綠色通道：{ $time }都可以來，到{ $site }。
other-time-hint = 來不了，請回覆「換時間」。
    .sms = 來不了，請回覆：換時間
site-with-address = { $site }({ $address })
crowded = 這個時段人可能較多，要多等一會兒。
    .sms = 人可能較多，要多等一會兒。
more-windows = 還有{ $count }個時段沒有列出。請問社區工作人員。
on-time = 請按上面的時間來，不用提早排隊。
    .sms = 請按時來，不用提早排隊。
register-link = 登記請打開：{ $link }
    .sms = 登記：{ $link }
open-registration = 打開登記
wait-for-call = 請先不要打開登記系統。輪到您時，我們再發一條消息，附上連結。
    .sms = 先別打開登記系統，輪到時再發連結。
call-heading = 輪到您了。現在可以登記，可以來採樣了：
    .sms = 輪到您了，現在可以登記、採樣：
call-remedy = 登記不上，不要著急，直接到採樣點，工作人員替您登記。錯過了時間，請聯繫社區工作人員。
    .sms = 登記不上，直接到採樣點，工作人員替您登記。
what-to-bring = 請全程戴口罩，隨身帶身分證件，提早準備好健康碼。沒有智慧型手機的，帶身分證件就可以。
    .sms = 請戴口罩，帶身分證件和健康碼。沒有智慧型手機的，帶身分證件就可以。
no-window = 您家現在沒有採樣安排。安排好以後，可以在這裡查到。
    .sms = 您家現在沒有採樣安排。
place-windows-heading = 這裡的採樣時段：
place-no-window = { $place }現在沒有採樣安排。
moved = 時間有過變動，以這條為準。
missed-heading = 您的時段已經過了：
missed-advice = 錯過了，請回覆“換時間”，另選一個時間。
    .sms = 錯過了，請回覆：換時間
open-map = 地圖：{ $site }
stop-hint = 回覆「退訂」可隨時停止。
    .sms = 回覆TD退訂
menu-hint = 回覆「選單」看更多。
    .sms = 回覆0看選單

# On the sheet at each door.
scan-code = 掃碼查看本單元的採樣時段
# To prove that a channel works.
test-message = 這是一條測試訊息，請不用理會。
