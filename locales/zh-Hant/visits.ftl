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
visit-talk = 上門採樣要申請、改時間或取消，請直接寫下來。
    新申請請寫：姓名、住址和門牌、電話、為什麼走不到採樣點。
    .sms = 上門採樣要申請、改時間或取消，請直接寫下來。新申請請寫：姓名、住址門牌、電話、原因。
menu-visits = 上門採樣

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
