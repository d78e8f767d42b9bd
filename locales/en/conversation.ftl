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
menu-person = A person
menu-pass = My pass
menu-privacy = Privacy
help = I can tell you when and where to go for your test, and whether your test proof is still valid.
    You can also just write your question, or a building and unit, such as: building 3 unit 2.
    For a community worker reply PERSON. In an emergency call { $emergency_number }.
    .sms = I can tell you the time and place of your test, and if your proof is valid. You can just write your question. For a community worker reply PERSON. Emergency: call { $emergency_number }.
choose-language = Choose a language.
    请选择语言。
    .sms = Language / 语言:
language-set = All right, English from now on.
stop-ask = Stop notices? Tap the button below, or reply STOP.
    .sms = To stop notices reply STOP
start-ask = Start notices? Tap the button below, or reply START.
    .sms = To get notices reply START
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
confirm-digits = Nothing has changed yet. To confirm, reply the four digits in the message. Otherwise you need not reply.
confirm-too-many = Too many codes were sent. Nothing has changed. Please try again in an hour, or ask your community office.
unknown = I did not understand. Please choose, or write it in other words.
    For a community worker reply PERSON.
    .sms = I did not understand. Please use other words, or reply PERSON for a community worker.
words-only = Thank you. But I can only read words, not pictures, voice messages or locations.
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

## Talks with a person

handed-over = I have passed this to a community worker, who will answer here.
    Until then I do not answer by myself. To end this, reply DONE.
    .sms = Passed to a worker, who will answer. Until then I am silent. To end reply DONE
handed-over-danger = I have told the community workers too. They will answer here.
    Until then I do not answer by myself. To end this, reply DONE.
    .sms = I have told a worker too. Until they answer I am silent. To end reply DONE
cannot-answer = I cannot answer that.
talk-end = Done
talk-ended = All right. The talk with the community worker has ended.
talk-timed-out = The talk with the community worker has ended. Write to me again at any time. For a person reply PERSON.
too-many = You write faster than I can read. Please wait a minute. In an emergency call { $emergency_number }.

## Private data

privacy = I keep: your chat or phone number, your language, your home, and what you write to me. If you are on the community's list, also what stands there.
    All of it is encrypted, and used only to tell you things and to answer you. What you write is erased after { $days } days.
    To erase it now, reply FORGET ME.
    .sms = I keep your number, language, home and what you write, encrypted, only to notify and answer you. Erased after { $days } days. To erase it now reply FORGET ME
forget-ask = Erase what you wrote to me, your home and your language?
    Tests at home that you asked for are cancelled and erased, too.
    The community's list does not change. For that, please ask your community office.
forget-yes = Erase my data
forget-no = Keep it
confirm-forget = Erase what you wrote, your home and language, and cancel your tests at home? Reply { $code } within 10 minutes.
forgotten = Erased. The community keeps its own list; for that, please ask your community office.

## The person's pass

pass-prove = To look up your pass, please show first that it is you.
pass-not-registered = This number is not on the list, so it cannot look up a pass. Please ask your community office.
pass-whose = Whose pass?
    .sms = Whose pass? Reply with a number:
pass-heading = Test proof of { $name }:
    .sms = { $name }:
pass-until-sampled = Valid until { $until }.
    Rule: { $hours } hours (since { $since }), counted from the sample. Sampled: { $at }.
    .sms = Valid until { $until }. { $hours }-hour rule (since { $since }), counted from the sample, { $at }.
pass-until-reported = Valid until { $until }.
    Rule: { $hours } hours (since { $since }), counted from the result. Result: { $at }.
    .sms = Valid until { $until }. { $hours }-hour rule (since { $since }), counted from the result, { $at }.
pass-over-sampled = No longer valid: it ended { $until }.
    Rule: { $hours } hours (since { $since }), counted from the sample. Sampled: { $at }.
    .sms = No longer valid: ended { $until }. { $hours }-hour rule (since { $since }), counted from the sample, { $at }.
pass-over-reported = No longer valid: it ended { $until }.
    Rule: { $hours } hours (since { $since }), counted from the result. Result: { $at }.
    .sms = No longer valid: ended { $until }. { $hours }-hour rule (since { $since }), counted from the result, { $at }.
pass-open = Rule: { $hours } hours (since { $since }).
    Counted from the sample: until { $sampled }.
    Counted from the result: until { $reported }.
    The rule does not say which. Your community decides.
    .sms = { $hours }h rule (since { $since }): from sample until { $sampled }, from result until { $reported }; your community decides.
pass-open-sampled = Rule: { $hours } hours (since { $since }).
    Counted from the sample: until { $sampled }.
    The rule does not say from when to count. Your community decides.
    .sms = { $hours }-hour rule (since { $since }): from the sample until { $sampled }. Your community decides from when to count.
pass-for-with = For { $purposes } also show: { $needs }. One of the two is enough.
    .sms = For { $purposes } also show { $needs }.
pass-for = For { $purposes }: show this proof.
    .sms = For { $purposes } show this proof.
purpose-gate = your gate
purpose-public-transport = bus and metro
    .sms = bus, metro
purpose-hospital = a hospital visit
    .sms = hospital
need-entry-card = your community entry card
    .sms = entry card
need-e-pass = your electronic pass
    .sms = e-pass
list-and = {" and "}
    .sms = {", "}
list-or = {" or "}
pass-awaited = The result of the latest sample is not out yet.
pass-none = I found no negative test. For the time of your next test reply MY TIME.
    .sms = I found no negative test. For your test time reply MY TIME
pass-no-record = The registration system has no record.
pass-not-linked = I cannot look up this test record.
pass-unavailable = I cannot look it up now: the registration system does not answer. Please try again later.
pass-doubt = I cannot judge this record.
pass-still-holds = Students who missed the test because of the system problem keep their autumn enrolment. If it is urgent, go straight to an emergency department: they are open 24 hours.
    .sms = Students who missed the test because of the system problem keep their enrolment. Emergency departments are open 24 hours.
