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
menu-person = 人工
menu-pass = 通行证明
menu-privacy = 隐私
help = 我可以告诉您：什么时候、到哪里做核酸采样，核酸证明还有没有效。
    您也可以直接写问题，或写楼栋单元，例如：3栋2单元。
    要找社区工作人员，请回复“人工”。急病请拨打{ $emergency_number }。
    .sms = 我能告诉您采样的时间地点、核酸证明是否有效。也可以直接写问题。要找工作人员，请回复：人工。急病请拨打{ $emergency_number }。
choose-language = 请选择语言。
    Choose a language.
    .sms = 请选择语言 / Language：
language-set = 好的，以后用简体中文。
stop-ask = 要停止通知吗？请按下面的按钮，或回复“退订”。
    .sms = 要停止通知，请回复：退订
start-ask = 要收通知吗？请按下面的按钮，或回复“订阅”。
    .sms = 要收通知，请回复：订阅
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
confirm-digits = 还没有改动。要确认，请回复短信里的四位数字；不改，就不用回复。
confirm-too-many = 确认码发得太多了，没有改动。请一小时以后再试，或联系社区工作人员。
unknown = 我没有看懂。请选一个，或换个说法再写一次。
    要找社区工作人员，请回复“人工”。
    .sms = 我没有看懂。请换个说法，要找工作人员请回复：人工
words-only = 收到了。可是我只会看文字，看不了图片、语音和位置。
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

## Talks with a person

handed-over = 已转给社区工作人员，会在这里答复您。
    工作人员答复以前，我不自动回答。要结束，请回复“结束”。
    .sms = 已转工作人员答复，我暂不自动回答。结束请回复：结束
handed-over-danger = 我也已通知社区工作人员，会在这里答复您。
    工作人员答复以前，我不自动回答。要结束，请回复“结束”。
    .sms = 我也已通知工作人员，暂不自动回答。结束请回复：结束
cannot-answer = 这个问题我不能回答。
talk-end = 结束
talk-ended = 好的，和工作人员的对话结束了。
talk-timed-out = 和工作人员的对话已经结束。有事请再写给我。要找工作人员，请回复“人工”。
too-many = 您发得太快，我看不过来。请过一分钟再写。急病请拨打{ $emergency_number }。

## Private data

privacy = 我保存：您的聊天号或手机号、语言、住址、您写给我的话。社区名册里有您的，还有名册资料。
    都加密保存，只用来通知您、答复您。您写的话，{ $days }天后删除。
    要马上删除，请回复“删除我的信息”。
    .sms = 我加密保存您的号码、语言、住址和您写的话，只用来通知、答复您，{ $days }天后删除您写的话。要马上删除，请回复：删除我的信息
forget-ask = 要删除您写给我的话、您选的住址和语言吗？
    您申请的上门采样，也会取消并删除。
    社区名册不会变。要改名册，请找社区工作人员。
forget-yes = 删除我的信息
forget-no = 不删除
confirm-forget = 要删除您写的话、住址、语言，取消您的上门采样吗？请回复{ $code }确认，10分钟内有效。名册不会变。
forgotten = 已经删除。社区名册由社区保管，要改请找社区工作人员。

## The person's pass

pass-prove = 查通行证明，要先确认是您本人。
pass-not-registered = 名册里没有这个号码，不能用它查通行证明。请找社区工作人员。
pass-whose = 要查哪一位的？
    .sms = 要查哪一位的？请回复数字：
pass-heading = { $name }的核酸证明：
    .sms = { $name }：
pass-until-sampled = 有效到{ $until }。
    规定：{ $hours }小时({ $since }起)，从采样时间算。采样时间：{ $at }。
    .sms = 有效到{ $until }。按{ $hours }小时规定({ $since }起)，从采样{ $at }算。
pass-until-reported = 有效到{ $until }。
    规定：{ $hours }小时({ $since }起)，从出结果的时间算。出结果时间：{ $at }。
    .sms = 有效到{ $until }。按{ $hours }小时规定({ $since }起)，从出结果{ $at }算。
pass-over-sampled = 已经过期：只到{ $until }。
    规定：{ $hours }小时({ $since }起)，从采样时间算。采样时间：{ $at }。
    .sms = 已过期，只到{ $until }。按{ $hours }小时规定({ $since }起)，从采样{ $at }算。
pass-over-reported = 已经过期：只到{ $until }。
    规定：{ $hours }小时({ $since }起)，从出结果的时间算。出结果时间：{ $at }。
    .sms = 已过期，只到{ $until }。按{ $hours }小时规定({ $since }起)，从出结果{ $at }算。
pass-open = 规定：{ $hours }小时({ $since }起)。
    从采样时间算，到{ $sampled }。
    从出结果的时间算，到{ $reported }。
    规定没有写明从哪个时间算，由社区确定。
    .sms = { $hours }小时规定({ $since }起)，从采样算到{ $sampled }，从出结果算到{ $reported }，由社区确定。
pass-open-sampled = 规定：{ $hours }小时({ $since }起)。
    从采样时间算，到{ $sampled }。
    规定没有写明从哪个时间算，由社区确定。
    .sms = { $hours }小时规定({ $since }起)，从采样算到{ $sampled }，从哪个时间算由社区确定。
pass-for-with = { $purposes }，还要出示：{ $needs }，有一样就行。
    .sms = { $purposes }还要看{ $needs }。
pass-for = { $purposes }，出示这份证明。
    .sms = { $purposes }看这份证明。
purpose-gate = 进出小区
purpose-public-transport = 坐公交、地铁
    .sms = 坐公交地铁
purpose-hospital = 去医院看病
    .sms = 去医院
need-entry-card = 小区出入登记卡
    .sms = 登记卡
need-e-pass = 电子通行证
    .sms = 电子通行证
list-and = {"，"}
    .sms = {"、"}
list-or = {"或"}
pass-awaited = 最近一次采样的结果还没有出来。
pass-none = 没有查到核酸阴性证明。什么时候做核酸，请回复“时段”。
    .sms = 没有查到核酸阴性证明。做核酸的时间，请回复：时段
pass-no-record = 登记系统里没有查到记录。
pass-not-linked = 我查不到这份核酸记录。
pass-unavailable = 现在查不到：登记系统没有回应。请过一会儿再查。
pass-doubt = 这份记录，我不能判断。
pass-still-holds = 因为系统问题没做上核酸的学生，秋季入学不受影响。情况紧急，请直接去急诊，急诊24小时开放。
    .sms = 因系统问题没做上核酸的学生，入学不受影响。急诊24小时开放。
