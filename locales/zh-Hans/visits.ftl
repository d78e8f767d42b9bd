# What is told about visits at home. `.sms` is the short form for text messages.

visit-asked = 收到您的上门采样申请：{ $place }。
    工作人员会先给您打电话，请留意来电。
    .sms = 收到上门采样申请：{ $place }。工作人员会先给您打电话。
visit-accepted = 您的上门采样已经受理：{ $place }。
    排好时间，会再通知您。
    .sms = 上门采样已受理：{ $place }。排好时间再通知您。
visit-scheduled = 上门采样定在：
    { $time }
    .sms = 上门采样：{ $time }。
visit-moved = 对不起，上门采样的时间有变动。以这条为准：
    { $time }
    .sms = 对不起，上门采样改时间了，以这条为准：{ $time }。
visit-retime = 上门采样要另排时间。原来的时间不算了，排好会再通知您。
    .sms = 上门采样要另排时间，原来的时间不算了，排好再通知您。
visit-on-the-way = 上门采样的人已经出发，请在家等候。
    .sms = 上门采样的人已经出发，请在家等候。
visit-visitor = 上门的人：{ $name }({ $role })
    .sms = 上门的人：{ $name }({ $role })
visit-code = 开门前，请先问四位数字。能说出{ $code }的，才是我们的人。说不出的，请不要开门。
    .sms = 开门前请先问数字，说出{ $code }的才开门。
visit-done = 上门采样已经做完。谢谢您。
visit-not-met = 我们来过了，没有见到人。
    还需要上门，请回复“上门”，再约一次。
    .sms = 我们来过了，没有见到人。还需要上门，请回复：上门
visit-lapsed = 对不起，我们没能按时上门。正在重新安排，排好会再通知您。
    .sms = 对不起，没能按时上门。正在重新安排，排好再通知您。
visit-declined = 这次不能上门采样：{ $reason }。
    有疑问，请联系社区工作人员。
    .sms = 这次不能上门采样：{ $reason }。有疑问请找社区工作人员。
visit-declined-plain = 这次不能上门采样。请联系社区工作人员。
visit-cancelled = 上门采样已经取消。
    以后还需要，请回复“上门”。
    .sms = 上门采样已取消。以后还需要，请回复：上门
visit-hint = 要改时间或取消，请回复“上门”。
    .sms = 改时间或取消，请回复：上门
menu-visits = 上门采样

## Asking for a visit, and changing it

visit-whom = 给谁上门采样？
    请选一个，也可以直接写姓名。
    .sms = 给谁上门采样？请回复数字：
visit-myself = 我自己
visit-family = 家人
visit-neighbour = 邻居
visit-name = 请写要采样的人的姓名。
    几个人一起采，就都写上。
    .sms = 请写要采样的人的姓名。几个人一起采，都写上。
visit-where = 到哪里上门？请写住址和门牌。
    例如：幸福社区 3栋2单元1203。
    .sms = 到哪里上门？请写住址门牌，例如：幸福社区 3栋2单元1203
visit-building = { $area }：几栋？
    .sms = { $area }：几栋？请回复数字。
visit-building-number = { $area }：几栋？请回复{ $first }到{ $last }的数字。
visit-unit = { $area }：几单元？
    .sms = { $area }：几单元？请回复数字。
visit-unit-number = { $area }：几单元？请回复{ $first }到{ $last }的数字。
visit-door = { $place }：门牌是多少？例如：1203
visit-why = 为什么不方便去采样点？
    请选一个，也可以自己写。
    .sms = 为什么不方便去采样点？请回复数字，或自己写：
visit-why-legs = 走不动，下不了楼
visit-why-bed = 长期卧床
visit-why-care = 家里有人离不开照顾
visit-when = 什么时候方便？
    请选一个，也可以写。例如：明天下午3点。
    .sms = 什么时候方便？请回复数字，或写：明天下午3点
visit-today-morning = 今天上午
visit-today-afternoon = 今天下午
visit-tomorrow-morning = 明天上午
visit-tomorrow-afternoon = 明天下午
visit-any-time = 都可以
visit-phone = 打哪个电话联系？请写号码。
    上门要注意的，也可以写在后面。例如：没有电梯、家里有狗、听力不好。
    .sms = 打哪个电话联系？请写号码。没有电梯、有狗、听力不好，也写在后面。
visit-phone-of = 新的联系电话是多少？请写号码。
visit-own-phone = 您的手机号
visit-access = 上门要注意什么？
    请选一个，也可以自己写。
    .sms = 上门要注意什么？请回复数字，或自己写：
visit-note-lift = 没有电梯
visit-note-dog = 家里有狗
visit-note-hearing = 听力不好
visit-no-note = 没有
visit-again-please = 没有看懂。请换个写法。
visit-summary = 请核对上门采样的申请：
    姓名：{ $name }
    住址：{ $place }
    原因：{ $why }
    时间：{ $when }
    电话：{ $phone }
    注意：{ $access }
    .sms = { $name }，{ $place }。原因：{ $why }。时间：{ $when }。电话：{ $phone }。注意：{ $access }。
visit-summary-code = 都对，请回复{ $code }提交。
visit-summary-code-sent = 都对，请回复前面短信里的四位数字提交。
visit-send = 提交申请
visit-fix = 修改
visit-drop = 不申请了
visit-dropped = 好的，没有申请。以后还需要，请回复“上门”。
visit-fix-which = 要改哪一项？
    .sms = 要改哪一项？请回复数字：
visit-fix-name = 姓名
visit-fix-where = 住址
visit-fix-why = 原因
visit-fix-when = 时间
visit-fix-phone = 电话
visit-fix-access = 注意事项
visit-back = 返回
visit-go-on = 接着申请上门
visit-waits = 您的上门申请还没有提交。
    要接着写，请回复“上门”。
    .sms = 上门申请还没提交。接着写，请回复：上门
visit-before = 这里已经有一次上门申请，不用再申请。
visit-joined = 这里已有一次上门申请，已经加上{ $name }，一共{ $people }人。
visit-apart = 这里的上门已经在进行，{ $name }加不进去了。已转给社区工作人员，会在这里联系您。
    要结束，请回复“结束”。
    .sms = 这里的上门已在进行，{ $name }加不进去。已转工作人员联系您。结束请回复：结束
visit-which = 您有几次上门采样。要看哪一次？
    .sms = 您有几次上门。看哪一次？请回复数字：
visit-none = 您现在没有上门采样的申请。
visit-not-now = 现在不能这样改。
visit-changed = 改好了。
visit-phone-kept = 号码记下了。工作人员会先打这个电话，核对以后才用它通知。
    .sms = 号码记下了。工作人员会先打这个电话核对。
visit-ask-again = 再约一次
visit-move = 改时间
    .sms = 改时间
visit-cancel = 取消上门
    .sms = 取消上门
visit-edit-phone = 改电话
    .sms = 改电话
visit-edit-access = 改注意事项
    .sms = 改注意事项
visit-not-met-ask = 我们来过了，没有见到人。还需要上门吗？
visit-new = 另外申请一次
    .sms = 另外申请
visit-confirm-cancel = 要取消上门采样吗？请回复{ $code }确认，10分钟内有效。
visit-confirm-again = 要再约一次上门采样吗？请回复{ $code }确认，10分钟内有效。
visit-confirm-change = 要改成：{ $what }。对的话请回复{ $code }确认，10分钟内有效。

## What a visitor is

visitor-nurse = 护士
visitor-doctor = 医生
visitor-volunteer = 志愿者
visitor-worker = 社区工作人员

## Why there is no visit

decline-site-is-near = 您可以到采样点，走绿色通道
decline-not-reached = 电话没有打通
decline-outside-area = 那里没有上门的队伍
decline-no-need = 您已经采过样了
decline-duplicate = 您家已经有一次上门采样

## How a visit stands

visit-state-asked = 待受理
visit-state-accepted = 待排时间
visit-state-scheduled = 已排时间
visit-state-on-the-way = 已出发
visit-state-done = 已完成
visit-state-declined = 未受理
visit-state-cancelled = 已取消
visit-state-missed = 没见到人

# On the list that a team prints. It is never sent.
visit-list-title = 上门采样名单
visit-list-guide = 按顺序上门。到门口先报暗号，做完在方框里打勾，写上时间；没见到人的，写明原因。
visit-list-time = 答应的时间
visit-list-where = 地址
visit-list-who = 姓名
visit-list-people = 人数
visit-list-phone = 电话
visit-list-notes = 备注
visit-list-code = 暗号
visit-list-done = 完成
visit-list-number = 编号
visit-list-urgent = 急
visit-list-private = 内有个人信息，请妥善保管，用完交回。
visit-list-count = 共{ $count }户
