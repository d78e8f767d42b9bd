# What the bot says in a dialogue. `.sms` is the short form for text messages.

greeting = 您好，这里是{ $sender }。
    我告诉您：什么时候、到哪里做核酸采样。
    .sms = 您好。

## The person's home

ask-district = 您住在哪个区？
ask-street = 您住在哪个街道？
ask-community = 您住在哪个社区？
    请选一个，也可以打字。例如：幸福社区 3栋2单元。
    .sms = 您住哪个社区？请回复数字，或写：幸福社区 3栋2单元
ask-building = { $area }：您住几栋？
    请选一个，也可以打字。例如：3栋2单元。
    .sms = { $area }：您住几栋？请回复数字。
ask-building-number = { $area }：您住几栋？请回复{ $first }到{ $last }的数字，或写：3栋2单元
ask-unit = { $area }：您住几单元？
    .sms = { $area }：您住几单元？请回复数字。
ask-unit-number = { $area }：您住几单元？请回复{ $first }到{ $last }的数字。
not-found = 没有找到这个地址。
several-found = 找到几个地址。请选一个：
    .sms = 找到几个地址，请回复数字：
too-many-found = 符合的地址太多。请写完整一些。例如：幸福社区 3栋2单元。
    .sms = 符合的地址太多，请写完整一些。
unknown-code = 这个二维码认不出来。请您自己选住址。
no-places = 住址名单还没有准备好。请以后再来，或联系社区工作人员。
home-set = 已记住您的住址：{ $place }。
next-page = 下一页
previous-page = 上一页
start-over = 重新选择

## The person's own phone number

ask-phone = 请按下面的按钮，发送您的手机号码。
    号码只用来核对社区名册，确认是您本人。
    不发也可以，照样能查时段。
share-phone = 发送手机号码
later = 以后再说
later-said = 好的。想发的时候，请回复“手机号”。
not-own-contact = 别人的名片不能用。
    请按下面的按钮，发送您自己的号码。
linked = 核对好了。您是{ $name }。以后您的通知发到这里。
not-me = 不是我
check-roster = 好的。请联系社区工作人员核对名册。
which-resident = 这个号码登记了几位居民。您是哪一位？
none-of-them = 都不是
not-on-roster = 名册里没有这个手机号码。
    请联系社区工作人员登记。
    您仍然可以在这里查时段。
offer-expired = 这个选项已经过期。请回复“手机号”，再来一次。

## The menu and its answers

menu = 请选择：
    .sms = 请回复数字：
menu-open = 菜单
menu-windows = 我的时段
menu-other-time = 换时间
menu-home = 换地址
menu-language = 语言 Language
menu-stop = 停止通知
    .sms = 退订
menu-start = 恢复通知
menu-help = 帮助
help = 我可以告诉您：什么时候、到哪里做核酸采样。
    别的问题，请联系社区工作人员。
    急病请拨打{ $emergency_number }。
    .sms = 我能告诉您采样的时间和地点。别的问题请找社区工作人员。急病请拨打{ $emergency_number }。
choose-language = 请选择语言。
    Choose a language.
    .sms = 请选择语言 / Language：
language-set = 好的，以后用简体中文。
stopped = 已停止向您发送通知。回复“订阅”可重新开启。
stop-everywhere-offer = 您别的号码和聊天也要停止吗？
    要停止，请按下面的按钮，或回复“全部退订”。
    .sms = 别的号码和聊天也要停止，请回复“全部退订”。
stop-everywhere = 全部停止
stopped-everywhere = 已全部停止发送通知。回复“订阅”可重新开启。
started = 已为您开启通知。轮到您时会提前提醒。回复“退订”可随时停止。
confirm-home = 要换到{ $place }吗？请回复{ $code }确认，10分钟内有效。
confirm-stop-everywhere = 别的号码和聊天也要停止吗？请回复{ $code }确认，10分钟内有效。
confirm-failed = 确认码不对，或已过期。没有改动。
confirm-wrong = 确认码不对。请看一看短信里的四位数字，再回复一次。还可以试{ $left }次。
confirm-too-many = 确认码发得太多了，没有改动。请一小时以后再试，或联系社区工作人员。
no-person = 我是自动回复，不能转人工。请直接联系社区工作人员。
unknown = 我没有看懂。
    别的问题，请联系社区工作人员。
    .sms = 我没有看懂。别的问题请找社区工作人员。
words-only = 收到了。可是我只会看文字，看不了图片和语音。
    .sms = 我只会看文字。
emergency = 请马上拨打{ $emergency_number }！
    或立即前往最近的急诊。各大医院急诊24小时开放。
    我是自动回复，不能替您呼救。

## Another time

other-time-offer = 您现在的时间：{ $time }。
    可以换成下面的时间，请选一个：
    .sms = 现在是{ $time }。可以换成下面的时间，请回复数字：
other-time-which = 要换哪一个时间？
    .sms = 要换哪一个？请回复数字：
other-time-keep = 不换了
other-time-kept = 好的，时间不变。
other-time-none = 现在没有别的空位。您的时间不变：{ $time }。
    来不了，请联系社区工作人员。
    .sms = 现在没有别的空位，时间不变：{ $time }。来不了，请找社区工作人员。
other-time-soon = 您的时间快到了：{ $time }。现在不能换，请按时来。
    来不了，请联系社区工作人员。
    .sms = 时间快到了：{ $time }。现在不能换，请按时来。来不了，请找社区工作人员。
other-time-nothing = 您家现在没有采样安排，不用换时间。
other-time-prove = 换时间，要先确认是您本人。
other-time-not-registered = 名册里没有这个号码，不能用它换时间。请找社区工作人员。
other-time-gone = 这个时间刚刚被别人选走了。
other-time-confirm = 要换到{ $time }吗？请回复{ $code }确认，10分钟内有效。
other-time-done = 换好了。您和用这个号码登记的家人，请按新的时间来。
