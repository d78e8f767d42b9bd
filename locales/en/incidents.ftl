# What is told while the registration system is down, and when it works again. `.sms` is the short form for text messages.

incident-heading = The registration system has a fault and is being looked at. Please stay calm.
    .sms = The registration system has a fault. Please stay calm.
incident-advice = Still at home? Please wait there. We will tell you when to come.
    Already at the site? Please wait where you are. Staff will register you on paper.
    .sms = At home: wait, we will tell you when to come. At the site: wait there, staff will register you on paper.
incident-over-heading = The registration system works again. Please come at this time:
    .sms = Registration works again. Your test:
incident-over-past = The registration system works again. Your time for the test has passed. Not tested yet? Ask your community office.
    .sms = Registration works again. Your time has passed. Not tested yet? Ask your community office.
incident-done = Already tested? No need to come again.
    .sms = Already tested? No need to come.

# On the sheets on which staff registers people by hand. They are printed, never sent.
sheet-title = Registration by hand
sheet-guide = One line for each person: tick the box, write the time, let them sign. Afterwards fill the ticked codes into the table (CSV) of the same name and hand it in.
sheet-done = Done
sheet-time = Time
sheet-door = Door
sheet-name = Name
sheet-phone = Phone
sheet-lane = Lane
sheet-green = Green lane
sheet-sign = Signature
sheet-code = Code
sheet-count = Registered on this page: ________    Staff: ________________
sheet-page = Page { $page } of { $pages }
sheet-incident = Incident { $id }
sheet-private = Personal data: keep it safe and hand it back.
