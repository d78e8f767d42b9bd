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
visit-talk = 上门采样要申请、改时间或取消，请直接写下来。
    新申请请写：姓名、住址和门牌、电话、为什么走不到采样点。
    .sms = 上门采样要申请、改时间或取消，请直接写下来。新申请请写：姓名、住址门牌、电话、原因。
menu-visits = 上门采样

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
