# What is told about visits at home. `.sms` is the short form for text messages.

visit-asked = We have your request for a test at home: { $place }.
    Someone will call you first. Please answer the phone.
    .sms = Home test asked for: { $place }. Someone will call you first.
visit-accepted = You will be tested at home: { $place }.
    We will write again when the time is set.
    .sms = You will be tested at home: { $place }. We will send the time.
visit-scheduled = Your test at home:
    { $time }
    .sms = Home test: { $time }.
visit-moved = Sorry, the time of your test at home has changed. This is the time that counts:
    { $time }
    .sms = Sorry, home test moved: { $time }.
visit-retime = Your test at home needs another time. The old time no longer counts. We will write again.
    .sms = Your home test needs another time. Forget the old one. We will write again.
visit-on-the-way = We are on our way to test you. Please stay at home.
    .sms = We are on our way to test you. Please stay at home.
visit-visitor = Who comes: { $name } ({ $role })
    .sms = { $name } ({ $role }) comes.
visit-code = Before you open the door, ask for the four digits. Only someone who says { $code } comes from us. Do not open to anyone else.
    .sms = Open only if they say { $code }.
visit-done = Your test at home is done. Thank you.
visit-not-met = We came, but nobody opened.
    If you still need us, reply “VISIT” to ask again.
    .sms = We came, but nobody opened. To ask again, reply VISIT
visit-lapsed = Sorry, we did not come in time. We are setting a new time and will write again.
    .sms = Sorry, we did not come in time. We will send a new time.
visit-declined = We cannot test you at home this time: { $reason }.
    If you have questions, please ask your community worker.
    .sms = No home test this time: { $reason }. Questions? Ask your community worker.
visit-declined-plain = We cannot come this time. Please ask your community worker.
visit-cancelled = Your test at home is cancelled.
    If you need us later, reply “VISIT”.
    .sms = Your home test is cancelled. If you need us later, reply VISIT
visit-hint = To change or cancel, reply “VISIT”.
    .sms = Change or cancel: reply VISIT
visit-talk = To ask for a test at home, or to change or cancel one, please write it here.
    For a new one write: name, address and door, phone, why it is too far to walk.
    .sms = To ask for a home test, or change or cancel one, please write it here. For a new one: name, address, phone, why.
menu-visits = Test at home

## What a visitor is

visitor-nurse = nurse
visitor-doctor = doctor
visitor-volunteer = volunteer
visitor-worker = community worker

## Why there is no visit

decline-site-is-near = you can use the green lane at your site
decline-not-reached = nobody answered the phone
decline-outside-area = no team goes there
decline-no-need = you have been tested already
decline-duplicate = a test at your home is already arranged

## How a visit stands

visit-state-asked = to be accepted
visit-state-accepted = needs a time
visit-state-scheduled = time set
visit-state-on-the-way = on the way
visit-state-done = done
visit-state-declined = declined
visit-state-cancelled = cancelled
visit-state-missed = nobody met

# On the list that a team prints. It is never sent.
visit-list-title = Tests at home
visit-list-guide = Go in this order. Say the code at the door. Tick the box when done and write the time; where nobody opens, write why.
visit-list-time = Promised
visit-list-where = Address
visit-list-who = Name
visit-list-people = People
visit-list-phone = Phone
visit-list-notes = Notes
visit-list-code = Code
visit-list-done = Done
visit-list-number = No.
visit-list-urgent = urgent
visit-list-private = Holds personal data: keep it safe and hand it back.
visit-list-count = { $count } homes
