# What is told about windows. `.sms` is the short form for text messages.

window-heading = 您的采样时段：
    .sms = 核酸采样通知：
reminder-heading = 提醒：快到您的采样时段了。来不了，请找社区工作人员。
    .sms = 提醒，快到采样时间了。来不了，请找社区工作人员。
correction-heading = 您的采样时段有变动。以这条为准，请按新的时间来：
    .sms = 采样时段有变动，以这条为准：
called-off-heading = 您的采样时段取消了，请不要去采样点。取消的是：
    .sms = 采样取消，请不要去：
called-off-next = 有了新的时间，我们马上通知您。
    .sms = 有新时间再通知您。
windows-heading = 您的采样时段：
    .sms = 您的采样时段：
window-line = { $time }
    地点：{ $site }
    住址：{ $place }
    .sms = { $place }，{ $time }，到{ $site }。
others-line = 其他家人：{ $time }
    地点：{ $site }
    住址：{ $place }
    .sms = { $place }，其他家人：{ $time }，到{ $site }。
green-line = 学生、老人、城市运行保障人员走绿色通道：{ $time }
    这段时间里什么时候来都可以。有专门的采样台。
    地点：{ $site }
    住址：{ $place }
    .sms = { $place }，学生、老人、保障人员走绿色通道：{ $time }都可以来，到{ $site }。
other-time-hint = 来不了，请回复“换时间”。
    .sms = 来不了，请回复：换时间
site-with-address = { $site }({ $address })
crowded = 这个时段人可能较多，要多等一会儿。
    .sms = 人可能较多，要多等一会儿。
more-windows = 还有{ $count }个时段没有列出。请问社区工作人员。
on-time = 请按上面的时间来，不用提前排队。
    .sms = 请按时来，不用提前排队。
register-link = 登记请打开：{ $link }
    .sms = 登记：{ $link }
open-registration = 打开登记
wait-for-call = 请先不要打开登记系统。轮到您时，我们再发一条消息，附上链接。
    .sms = 先别打开登记系统，轮到时再发链接。
call-heading = 轮到您了。现在可以登记，可以来采样了：
    .sms = 轮到您了，现在可以登记、采样：
call-remedy = 登记不上，不要着急，直接到采样点，工作人员替您登记。错过了时间，请联系社区工作人员。
    .sms = 登记不上，直接到采样点，工作人员替您登记。
what-to-bring = 请全程戴口罩，随身带身份证件，提前准备好健康码。没有智能手机的，带身份证件就可以。
    .sms = 请戴口罩，带身份证件和健康码。没有智能手机的，带身份证件就可以。
no-window = 您家现在没有采样安排。安排好以后，可以在这里查到。
    .sms = 您家现在没有采样安排。
place-windows-heading = 这里的采样时段：
place-no-window = { $place }现在没有采样安排。
moved = 时间有过变动，以这条为准。
missed-heading = 您的时段已经过了：
missed-advice = 错过了，请回复“换时间”，另选一个时间。
    .sms = 错过了，请回复：换时间
open-map = 地图：{ $site }
stop-hint = 回复“退订”可随时停止。
    .sms = 回复TD退订
menu-hint = 回复“菜单”看更多。
    .sms = 回复0看菜单

# On the sheet at each door.
scan-code = 扫码查看本单元的采样时段
# To prove that a channel works.
test-message = 这是一条测试消息，请不用理会。
