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
menu-visits = Test at home

## Asking for a visit, and changing it

visit-whom = Who is to be tested at home?
    Choose one, or write the name.
    .sms = Who is to be tested at home? Reply with a number:
visit-myself = Me
visit-family = My family
visit-neighbour = A neighbour
visit-name = Please write the name of the person to be tested.
    If there are several, write them all.
    .sms = Whose test? Please write the name. If several, write them all.
visit-where = Where do we come to? Please write the address and the door.
    For example: 幸福社区 building 3 unit 2 room 1203.
    .sms = Where do we come to? Write the address and door, such as: 幸福社区 3栋2单元1203
visit-building = { $area }: which building?
    .sms = { $area }: which building? Reply with a number.
visit-building-number = { $area }: which building? Reply with a number from { $first } to { $last }.
visit-unit = { $area }: which unit?
    .sms = { $area }: which unit? Reply with a number.
visit-unit-number = { $area }: which unit? Reply with a number from { $first } to { $last }.
visit-door = { $place }: what is the door number? For example: 1203
visit-why = Why is it hard to come to the test site?
    Choose one, or write it yourself.
    .sms = Why at home? Reply a number, or write it:
visit-why-legs = Cannot walk or take stairs
visit-why-bed = Has to stay in bed
visit-why-care = Cannot leave someone alone
visit-when = When does it suit you?
    Choose one, or write it. For example: tomorrow 3 pm.
    .sms = When suits you? Reply a number, or write: tomorrow 3 pm
visit-today-morning = This morning
visit-today-afternoon = This afternoon
visit-tomorrow-morning = Tomorrow morning
visit-tomorrow-afternoon = Tomorrow afternoon
visit-any-time = Any time
visit-phone = Which phone may we call? Please write the number.
    You can add what we should know. For example: no lift, a dog, hard of hearing.
    .sms = Which phone may we call? Write the number. You can add: no lift, a dog, hard of hearing.
visit-phone-of = What is the new phone number?
visit-own-phone = your own
visit-access = What should we know before we come?
    Choose one, or write it yourself.
    .sms = What should we know? Reply a number, or write it:
visit-note-lift = No lift
visit-note-dog = There is a dog
visit-note-hearing = Hard of hearing
visit-no-note = Nothing
visit-again-please = I did not understand. Please write it in another way.
visit-summary = Please check your request for a test at home:
    Name: { $name }
    Address: { $place }
    Reason: { $why }
    Time: { $when }
    Phone: { $phone }
    Note: { $access }
    .sms = { $name }, { $place }. Why: { $why }. When: { $when }. Phone: { $phone }. Note: { $access }.
visit-summary-code = All right? Reply { $code } to send it.
visit-summary-code-sent = All right? Reply the four digits from the message before.
visit-send = Send it
visit-fix = Change it
visit-drop = Do not ask
visit-dropped = All right, nothing was asked for. If you need it later, reply “VISIT”.
visit-fix-which = What do you want to change?
    .sms = Change what? Reply with a number:
visit-fix-name = Name
visit-fix-where = Address
visit-fix-why = Reason
visit-fix-when = Time
visit-fix-phone = Phone
visit-fix-access = Note
visit-back = Back
visit-go-on = Go on with my request
visit-waits = Your request for a test at home is not sent yet.
    To go on, reply “VISIT”.
    .sms = Your request is not sent yet. To go on reply VISIT
visit-before = A test at home has been asked for here already. You need not ask again.
visit-joined = { $name } is now on the visit that was asked for here. People: { $people }.
visit-apart = A test at home is under way here, and { $name } cannot join it. A community worker will write to you here.
    To end this, reply DONE.
    .sms = A visit is under way here; { $name } cannot join it. A worker will write to you. To end reply DONE
visit-which = You have several tests at home. Which one?
    .sms = You have several tests at home. Which one? Reply with a number:
visit-none = You have no test at home now.
visit-not-now = That cannot be changed now.
visit-changed = Done.
visit-phone-kept = The number is noted. A worker will call it first; only then is it told about the visit.
    .sms = The number is noted. A worker will call it first.
visit-ask-again = Come again
visit-move = Another time
    .sms = Change time
visit-cancel = Cancel it
    .sms = Cancel
visit-edit-phone = Another phone
    .sms = Change phone
visit-edit-access = Another note
    .sms = Change note
visit-not-met-ask = We came, but nobody opened. Shall we come again?
visit-new = Ask for another one
    .sms = New request
visit-confirm-cancel = Cancel the test at home? Reply { $code } within 10 minutes.
visit-confirm-again = Shall we come again? Reply { $code } within 10 minutes.
visit-confirm-change = Change it to: { $what }? Reply { $code } within 10 minutes.

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
