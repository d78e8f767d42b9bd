# What is told about visits at home. `.sms` is the short form for text messages.

visit-asked = 收到您的上門採樣申請：{ $place }。
    工作人員會先打電話給您，請留意來電。
    .sms = 收到上門採樣申請：{ $place }。工作人員會先打電話給您。
visit-accepted = 您的上門採樣已經受理：{ $place }。
    排好時間，會再通知您。
    .sms = 上門採樣已受理：{ $place }。排好時間再通知您。
visit-scheduled = 上門採樣定在：
    { $time }
    .sms = 上門採樣：{ $time }。
visit-moved = 對不起，上門採樣的時間有變動。以這條為準：
    { $time }
    .sms = 對不起，上門採樣改時間了，以這條為準：{ $time }。
visit-retime = 上門採樣要另排時間。原來的時間不算了，排好會再通知您。
    .sms = 上門採樣要另排時間，原來的時間不算了，排好再通知您。
visit-on-the-way = 上門採樣的人已經出發，請在家等候。
    .sms = 上門採樣的人已經出發，請在家等候。
visit-visitor = 上門的人：{ $name }({ $role })
    .sms = 上門的人：{ $name }({ $role })
visit-code = 開門前，請先問四位數字。能說出{ $code }的，才是我們的人。說不出的，請不要開門。
    .sms = 開門前請先問數字，說出{ $code }的才開門。
visit-done = 上門採樣已經做完。謝謝您。
visit-not-met = 我們來過了，沒有見到人。
    還需要上門，請回覆「上門」，再約一次。
    .sms = 我們來過了，沒有見到人。還需要上門，請回覆：上門
visit-lapsed = 對不起，我們沒能按時上門。正在重新安排，排好會再通知您。
    .sms = 對不起，沒能按時上門。正在重新安排，排好再通知您。
visit-declined = 這次不能上門採樣：{ $reason }。
    有疑問，請聯絡社區工作人員。
    .sms = 這次不能上門採樣：{ $reason }。有疑問請找社區工作人員。
visit-declined-plain = 這次不能上門採樣。請聯絡社區工作人員。
visit-cancelled = 上門採樣已經取消。
    以後還需要，請回覆「上門」。
    .sms = 上門採樣已取消。以後還需要，請回覆：上門
visit-hint = 要改時間或取消，請回覆「上門」。
    .sms = 改時間或取消，請回覆：上門
menu-visits = 上門採樣

## Asking for a visit, and changing it

visit-whom = 給誰上門採樣？
    請選一個，也可以直接寫姓名。
    .sms = 給誰上門採樣？請回覆數字：
visit-myself = 我自己
visit-family = 家人
visit-neighbour = 鄰居
visit-name = 請寫要採樣的人的姓名。
    幾個人一起採，就都寫上。
    .sms = 請寫要採樣的人的姓名。幾個人一起採，都寫上。
visit-where = 到哪裡上門？請寫住址和門牌。
    例如：幸福社區 3棟2單元1203。
    .sms = 到哪裡上門？請寫住址門牌，例如：幸福社區 3棟2單元1203
visit-building = { $area }：幾棟？
    .sms = { $area }：幾棟？請回覆數字。
visit-building-number = { $area }：幾棟？請回覆{ $first }到{ $last }的數字。
visit-unit = { $area }：幾單元？
    .sms = { $area }：幾單元？請回覆數字。
visit-unit-number = { $area }：幾單元？請回覆{ $first }到{ $last }的數字。
visit-door = { $place }：門牌是多少？例如：1203
visit-why = 為什麼不方便去採樣點？
    請選一個，也可以自己寫。
    .sms = 為什麼不方便去採樣點？請回覆數字，或自己寫：
visit-why-legs = 走不動，下不了樓
visit-why-bed = 長期臥床
visit-why-care = 家裡有人離不開照顧
visit-when = 什麼時候方便？
    請選一個，也可以寫。例如：明天下午3點。
    .sms = 什麼時候方便？請回覆數字，或寫：明天下午3點
visit-today-morning = 今天上午
visit-today-afternoon = 今天下午
visit-tomorrow-morning = 明天上午
visit-tomorrow-afternoon = 明天下午
visit-any-time = 都可以
visit-phone = 打哪個電話聯絡？請寫號碼。
    上門要注意的，也可以寫在後面。例如：沒有電梯、家裡有狗、聽力不好。
    .sms = 打哪個電話聯絡？請寫號碼。沒有電梯、有狗、聽力不好，也寫在後面。
visit-phone-of = 新的聯絡電話是多少？請寫號碼。
visit-own-phone = 您的手機號
visit-access = 上門要注意什麼？
    請選一個，也可以自己寫。
    .sms = 上門要注意什麼？請回覆數字，或自己寫：
visit-note-lift = 沒有電梯
visit-note-dog = 家裡有狗
visit-note-hearing = 聽力不好
visit-no-note = 沒有
visit-again-please = 沒有看懂。請換個寫法。
visit-summary = 請核對上門採樣的申請：
    姓名：{ $name }
    住址：{ $place }
    原因：{ $why }
    時間：{ $when }
    電話：{ $phone }
    注意：{ $access }
    .sms = { $name }，{ $place }。原因：{ $why }。時間：{ $when }。電話：{ $phone }。注意：{ $access }。
visit-summary-code = 都對，請回覆{ $code }提交。
visit-summary-code-sent = 都對，請回覆前面簡訊裡的四位數字提交。
visit-send = 提交申請
visit-fix = 修改
visit-drop = 不申請了
visit-dropped = 好的，沒有申請。以後還需要，請回覆「上門」。
visit-fix-which = 要改哪一項？
    .sms = 要改哪一項？請回覆數字：
visit-fix-name = 姓名
visit-fix-where = 住址
visit-fix-why = 原因
visit-fix-when = 時間
visit-fix-phone = 電話
visit-fix-access = 注意事項
visit-back = 返回
visit-go-on = 接著申請上門
visit-waits = 您的上門申請還沒有提交。
    要接著寫，請回覆「上門」。
    .sms = 上門申請還沒提交。接著寫，請回覆：上門
visit-before = 這裡已經有一次上門申請，不用再申請。
visit-joined = 這裡已有一次上門申請，已經加上{ $name }，一共{ $people }人。
visit-apart = 這裡的上門已經在進行，{ $name }加不進去了。已轉給社區工作人員，會在這裡聯絡您。
    要結束，請回覆「結束」。
    .sms = 這裡的上門已在進行，{ $name }加不進去。已轉工作人員聯絡您。結束請回覆：結束
visit-which = 您有幾次上門採樣。要看哪一次？
    .sms = 您有幾次上門。看哪一次？請回覆數字：
visit-none = 您現在沒有上門採樣的申請。
visit-not-now = 現在不能這樣改。
visit-changed = 改好了。
visit-phone-kept = 號碼記下了。工作人員會先打這個電話，核對以後才用它通知。
    .sms = 號碼記下了。工作人員會先打這個電話核對。
visit-ask-again = 再約一次
visit-move = 改時間
    .sms = 改時間
visit-cancel = 取消上門
    .sms = 取消上門
visit-edit-phone = 改電話
    .sms = 改電話
visit-edit-access = 改注意事項
    .sms = 改注意事項
visit-not-met-ask = 我們來過了，沒有見到人。還需要上門嗎？
visit-new = 另外申請一次
    .sms = 另外申請
visit-confirm-cancel = 要取消上門採樣嗎？請回覆{ $code }確認，10分鐘內有效。
visit-confirm-again = 要再約一次上門採樣嗎？請回覆{ $code }確認，10分鐘內有效。
visit-confirm-change = 要改成：{ $what }。對的話請回覆{ $code }確認，10分鐘內有效。

## What a visitor is

visitor-nurse = 護士
visitor-doctor = 醫生
visitor-volunteer = 志願者
visitor-worker = 社區工作人員

## Why there is no visit

decline-site-is-near = 您可以到採樣點，走綠色通道
decline-not-reached = 電話沒有打通
decline-outside-area = 那裡沒有上門的隊伍
decline-no-need = 您已經採過樣了
decline-duplicate = 您家已經有一次上門採樣

## How a visit stands

visit-state-asked = 待受理
visit-state-accepted = 待排時間
visit-state-scheduled = 已排時間
visit-state-on-the-way = 已出發
visit-state-done = 已完成
visit-state-declined = 未受理
visit-state-cancelled = 已取消
visit-state-missed = 沒見到人

# On the list that a team prints. It is never sent.
visit-list-title = 上門採樣名單
visit-list-guide = 按順序上門。到門口先報暗號，做完在方框裡打勾，寫上時間；沒見到人的，寫明原因。
visit-list-time = 答應的時間
visit-list-where = 地址
visit-list-who = 姓名
visit-list-people = 人數
visit-list-phone = 電話
visit-list-notes = 備註
visit-list-code = 暗號
visit-list-done = 完成
visit-list-number = 編號
visit-list-urgent = 急
visit-list-private = 內有個人資訊，請妥善保管，用完交回。
visit-list-count = 共{ $count }戶
