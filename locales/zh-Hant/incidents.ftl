# What is told while the registration system is down, and when it works again. `.sms` is the short form for text messages.

incident-heading = 登記系統出了故障，正在處理。請不要著急。
    .sms = 登記系統出了故障，正在處理，請別著急。
incident-advice = 還沒出門的，請先在家等。什麼時候來，會再通知您。
    已經到採樣點的，請原地等一等，工作人員會用紙筆給您登記。
    .sms = 沒出門的請在家等，什麼時候來會再通知。已到採樣點的請原地等，工作人員會用紙筆登記。
incident-over-heading = 登記系統恢復了。請按下面的時間來：
    .sms = 登記系統恢復了，請按這個時間來：
incident-over-past = 登記系統恢復了。您家的採樣時段已經過了，還沒有採樣的，請聯繫社區工作人員。
    .sms = 登記系統恢復了。您家的採樣時段已過，沒採樣的請聯繫社區工作人員。
incident-done = 已經採過樣的，不用再來。
    .sms = 已採過樣的不用再來。

# On the sheets on which staff registers people by hand. They are printed, never sent.
sheet-title = 核酸採樣手工登記表
sheet-guide = 一人一行：登記好就在方框裡打勾，寫上時間，請本人簽字。用完後把打勾的編號填進同名的表格(CSV)交回。
sheet-done = 登記
sheet-time = 時間
sheet-door = 門牌
sheet-name = 姓名
sheet-phone = 電話
sheet-lane = 通道
sheet-green = 綠色通道
sheet-sign = 簽字
sheet-code = 編號
sheet-count = 本頁登記________人　　登記人簽字________________
sheet-page = 第{ $page }頁，共{ $pages }頁
sheet-incident = 故障編號{ $id }
sheet-private = 內有個人資料，請妥善保管，用完交回。
