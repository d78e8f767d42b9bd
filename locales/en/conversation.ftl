# What the bot says in a dialogue. `.sms` is the short form for text messages.

greeting = Hello, this is { $sender }.
    I tell you when and where to go for your test.
    .sms = Hello.

## The person's home

ask-district = Which district do you live in?
ask-street = Which street office (街道) do you live in?
ask-community = Which community (社区) do you live in?
    Choose one, or type it. For example: 幸福社区 3栋2单元.
    .sms = Which community (社区)? Reply with a number, or write: 幸福社区 3栋2单元
ask-building = { $area }: which building do you live in?
    Choose one, or type it. For example: building 3 unit 2.
    .sms = { $area }: which building? Reply with a number.
ask-building-number = { $area }: which building? Reply with a number from { $first } to { $last }, or write: building 3 unit 2
ask-unit = { $area }: which unit do you live in?
    .sms = { $area }: which unit? Reply with a number.
ask-unit-number = { $area }: which unit? Reply with a number from { $first } to { $last }.
not-found = I did not find this address.
several-found = I found a few addresses. Please choose one:
    .sms = I found a few. Reply with a number:
too-many-found = Too many addresses match. Please write more of it. For example: 幸福社区 3栋2单元.
    .sms = Too many addresses match. Please write more of it.
unknown-code = I do not know this code. Please choose your address yourself.
no-places = The list of addresses is not ready. Please come back later, or ask your community office.
home-set = I will remember your home: { $place }.
next-page = Next
previous-page = Previous
start-over = Start over

## The person's own phone number

ask-phone = Please tap the button below to send your phone number.
    We only use it to find you on the community's list.
    You do not have to. You can still ask for your time.
share-phone = Send my phone number
later = Later
later-said = All right. To send it another day, reply PHONE.
not-own-contact = Other people's contact cards do not work.
    Please tap the button below to send your own number.
linked = Found. You are { $name }. Your notices will come here.
not-me = This is not me
check-roster = All right. Please ask your community office to check their list.
which-resident = Several people have this number. Which one are you?
none-of-them = None of them
not-on-roster = This phone number is not on the community's list.
    Please ask your community office to add it.
    You can still ask for your time here.
offer-expired = This choice is too old. Please reply PHONE to try again.

## The menu and its answers

menu = Please choose:
    .sms = Reply with a number:
menu-open = Menu
menu-windows = My time
menu-other-time = Another time
menu-home = Change address
menu-language = Language 语言
menu-stop = Stop notices
    .sms = Stop
menu-start = Start notices
menu-help = Help
help = I can tell you when and where to go for your test.
    For anything else, please ask your community office.
    In an emergency call { $emergency_number }.
    .sms = I can tell you the time and place of your test. For anything else ask your community office. Emergency: call { $emergency_number }.
choose-language = Choose a language.
    请选择语言。
    .sms = Language / 语言:
language-set = All right, English from now on.
stopped = Notices are off. Reply START to turn them on again.
stop-everywhere-offer = Stop your other numbers and chats too?
    If so, tap the button below, or reply STOP ALL.
    .sms = To stop your other numbers and chats too, reply STOP ALL.
stop-everywhere = Stop all
stopped-everywhere = All notices are off. Reply START to turn them on again.
started = Notices are on. We will remind you before your turn. Reply STOP at any time.
confirm-home = Change your home to { $place }? Reply { $code } within 10 minutes.
confirm-stop-everywhere = Stop your other numbers and chats too? Reply { $code } within 10 minutes.
confirm-failed = The code is wrong or too old. Nothing has changed.
confirm-wrong = That is not the code. Please look at the four digits in the message and reply again. Tries left: { $left }.
confirm-too-many = Too many codes were sent. Nothing has changed. Please try again in an hour, or ask your community office.
no-person = I am an automatic service and cannot connect you to a person. Please go to your community office.
unknown = I did not understand.
    For anything else, please ask your community office.
    .sms = I did not understand. For anything else ask your community office.
words-only = Thank you. But I can only read words, not pictures or voice messages.
    .sms = I can only read words.
emergency = Call { $emergency_number } now!
    Or go to the nearest emergency department at once. Those of the major hospitals are open 24 hours.
    I am an automatic service and cannot call for you.

## Another time

other-time-offer = Your time now: { $time }.
    You can have one of these instead. Please choose:
    .sms = Now: { $time }. Instead you can have one of these. Reply with a number:
other-time-which = Which time do you want to change?
    .sms = Change which one? Reply with a number:
other-time-keep = Keep my time
other-time-kept = All right. Your time stays as it is.
other-time-none = No other time is free now. Your time stays: { $time }.
    If you cannot come, please ask your community office.
    .sms = No other time is free. Your time stays: { $time }. Cannot come? Ask your community office.
other-time-soon = It is almost your time: { $time }. It can no longer be changed. Please come.
    If you cannot come, please ask your community office.
    .sms = It is almost your time: { $time }. It can no longer be changed. Cannot come? Ask your community office.
other-time-nothing = No test is planned for your home now, so there is nothing to change.
other-time-prove = To change your time, please show first that it is you.
other-time-not-registered = This number is not on the list, so it cannot change a time. Please ask your community office.
other-time-gone = Somebody has just taken this time.
other-time-confirm = Change to { $time }? Reply { $code } within 10 minutes.
other-time-done = Done. You, and those of your family with this number, please come at the new time.
