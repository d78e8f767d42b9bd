# What is told about windows. `.sms` is the short form for text messages.

window-heading = Your time for the test:
    .sms = Your test:
reminder-heading = Reminder: it is almost time for your test. Cannot come? Ask your community office.
    .sms = Reminder. Cannot come? Ask your community office. Your test:
correction-heading = Your time has changed. Only this message counts. Please come at the new time:
    .sms = New time. Only this counts:
called-off-heading = Your time for the test is cancelled. Please do not go to the site. Cancelled is:
    .sms = Your test is cancelled, please do not go:
called-off-next = As soon as there is a new time, we will tell you.
    .sms = We will tell you a new time.
windows-heading = Your time for the test:
    .sms = Your test:
window-line = { $time }
    Place: { $site }
    Home: { $place }
    .sms = { $place }, { $time }, at { $site }.
others-line = The rest of the family: { $time }
    Place: { $site }
    Home: { $place }
    .sms = { $place }, the others: { $time }, at { $site }.
green-line = Students, the elderly and city-support workers, by the green lane: { $time }
    Come at any time in these hours. There are desks of your own.
    Place: { $site }
    Home: { $place }
    .sms = { $place }, green lane (students, elderly, city-support workers): any time { $time }, at { $site }.
other-time-hint = Cannot come? Reply OTHER TIME.
    .sms = Cannot come? Reply OTHER TIME
site-with-address = { $site } ({ $address })
crowded = It may be busy then. You may have to wait longer.
    .sms = It may be busy.
more-windows = { $count } more are not listed. Please ask your community office.
on-time = Please come at the time above. No need to queue early.
    .sms = No need to queue early.
register-link = To register, open { $link }
    .sms = Register: { $link }
open-registration = Open registration
wait-for-call = Please do not open the registration yet. When it is your turn we will send another message with the link.
    .sms = Do not register yet. We will send the link when it is your turn.
call-heading = It is your turn. You can register and come now:
    .sms = Your turn: register and come now.
call-remedy = If you cannot register, stay calm and go to the site. Staff there will register you. If you are too late, ask your community office.
    .sms = Cannot register? Go to the site, staff will do it.
what-to-bring = Wear a mask all the time, carry your ID, and have your health code ready. No smartphone? Your ID is enough.
    .sms = Bring mask and ID, health code if any.
no-window = No test is planned for your home now. Once it is, you can see it here.
    .sms = No test is planned for your home now.
place-windows-heading = Test times there:
place-no-window = No test is planned for { $place } now.
moved = This time was changed. It is the right one now.
missed-heading = Your time has passed:
missed-advice = If you missed it, reply OTHER TIME to choose another.
    .sms = Missed it? Reply: OTHER TIME
open-map = Map: { $site }
stop-hint = Reply STOP to end notices.
    .sms = Reply STOP to end
menu-hint = Reply MENU for more.
    .sms = Reply 0 for menu

# On the sheet at each door.
scan-code = Scan to see this unit's time
# To prove that a channel works.
test-message = This is a test. Please take no notice.
