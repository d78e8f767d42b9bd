# What is told while the registration system is down, and when it works again. `.sms` is the short form for text messages.

incident-heading = 登记系统出了故障，正在处理。请不要着急。
    .sms = 登记系统出了故障，正在处理，请别着急。
incident-advice = 还没出门的，请先在家等。什么时候来，会再通知您。
    已经到采样点的，请原地等一等，工作人员会用纸笔给您登记。
    .sms = 没出门的请在家等，什么时候来会再通知。已到采样点的请原地等，工作人员会用纸笔登记。
incident-over-heading = 登记系统恢复了。请按下面的时间来：
    .sms = 登记系统恢复了，请按这个时间来：
incident-over-past = 登记系统恢复了。您家的采样时段已经过了，还没有采样的，请联系社区工作人员。
    .sms = 登记系统恢复了。您家的采样时段已过，没采样的请联系社区工作人员。
incident-done = 已经采过样的，不用再来。
    .sms = 已采过样的不用再来。

# On the sheets on which staff registers people by hand. They are printed, never sent.
sheet-title = 核酸采样手工登记表
sheet-guide = 一人一行：登记好就在方框里打勾，写上时间，请本人签字。用完后把打勾的编号填进同名的表格(CSV)交回。
sheet-done = 登记
sheet-time = 时间
sheet-door = 门牌
sheet-name = 姓名
sheet-phone = 电话
sheet-lane = 通道
sheet-green = 绿色通道
sheet-sign = 签字
sheet-code = 编号
sheet-count = 本页登记________人　　登记人签字________________
sheet-page = 第{ $page }页，共{ $pages }页
sheet-incident = 故障编号{ $id }
sheet-private = 内有个人信息，请妥善保管，用完交回。
