//! The approved words of `locales/`, behind keys that the compiler checks, and dates as people say them.
//!
//! Each text is a Fluent message; its attribute `.sms`, where there is one, is the short form for text messages.

pub mod answers;
pub mod notices;
mod set;
pub mod visits;
pub mod work;

use std::{borrow::Cow, fmt::Write as _, sync::Arc};

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Timelike, Utc};
use chrono_tz::Tz;
use fluent::{FluentArgs, FluentError, FluentResource, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

use crate::domain::{ChannelKind, Language};
use set::SetWords;

pub use set::{BadSetText, NewWords};

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident $({ $($argument:ident),+ })? = $key:literal,)*) => {
        /// Every text there is, with what fills it. One that nothing says is reported by the compiler as never constructed.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Text<'a> { $($(#[$doc])* $name $({ $($argument: &'a str),+ })?,)* }

        impl<'a> Text<'a> {
            fn key(&self) -> &'static str {
                match self { $(Self::$name { .. } => $key,)* }
            }

            fn arguments(&self) -> Vec<(&'static str, &'a str)> {
                match *self { $(Self::$name $({ $($argument),+ })? => vec![$($((stringify!($argument), $argument)),+)?],)* }
            }
        }

        /// The key and the arguments' names of every text.
        const KEYS: &[(&str, &[&str])] = &[$(($key, &[$($(stringify!($argument)),+)?]),)*];
    };
}

texts! {
    // locales/*/conversation.ftl
    Greeting { sender } = "greeting",
    AskDistrict = "ask-district",
    AskStreet = "ask-street",
    AskCommunity = "ask-community",
    AskBuilding { area } = "ask-building",
    AskBuildingNumber { area, first, last } = "ask-building-number",
    AskUnit { area } = "ask-unit",
    AskUnitNumber { area, first, last } = "ask-unit-number",
    NotFound = "not-found",
    SeveralFound = "several-found",
    TooManyFound = "too-many-found",
    UnknownCode = "unknown-code",
    NoPlaces = "no-places",
    HomeSet { place } = "home-set",
    NextPage = "next-page",
    PreviousPage = "previous-page",
    StartOver = "start-over",
    AskPhone = "ask-phone",
    SharePhone = "share-phone",
    Later = "later",
    LaterSaid = "later-said",
    NotOwnContact = "not-own-contact",
    Linked { name } = "linked",
    NotMe = "not-me",
    CheckRoster = "check-roster",
    WhichResident = "which-resident",
    NoneOfThem = "none-of-them",
    NotOnRoster = "not-on-roster",
    OfferExpired = "offer-expired",
    Menu = "menu",
    MenuOpen = "menu-open",
    MenuWindows = "menu-windows",
    MenuHome = "menu-home",
    MenuLanguage = "menu-language",
    MenuStop = "menu-stop",
    MenuStart = "menu-start",
    MenuHelp = "menu-help",
    Help { emergency_number } = "help",
    ChooseLanguage = "choose-language",
    LanguageSet = "language-set",
    Stopped = "stopped",
    StopEverywhereOffer = "stop-everywhere-offer",
    StopEverywhere = "stop-everywhere",
    StoppedEverywhere = "stopped-everywhere",
    Started = "started",
    ConfirmHome { place, code } = "confirm-home",
    ConfirmStopEverywhere { code } = "confirm-stop-everywhere",
    ConfirmFailed = "confirm-failed",
    ConfirmWrong { left } = "confirm-wrong",
    ConfirmDigits = "confirm-digits",
    ConfirmTooMany = "confirm-too-many",
    MenuOtherTime = "menu-other-time",
    OtherTimeOffer { time } = "other-time-offer",
    OtherTimeWhich = "other-time-which",
    OtherTimeNone { time } = "other-time-none",
    OtherTimeSoon { time } = "other-time-soon",
    OtherTimeNothing = "other-time-nothing",
    OtherTimeProve = "other-time-prove",
    OtherTimeNotRegistered = "other-time-not-registered",
    OtherTimeGone = "other-time-gone",
    OtherTimeConfirm { time, code } = "other-time-confirm",
    OtherTimeDone = "other-time-done",
    OtherTimeKeep = "other-time-keep",
    OtherTimeKept = "other-time-kept",
    MenuPass = "menu-pass",
    MenuPerson = "menu-person",
    MenuPrivacy = "menu-privacy",
    StopAsk = "stop-ask",
    StartAsk = "start-ask",
    HandedOver = "handed-over",
    HandedOverDanger = "handed-over-danger",
    CannotAnswer = "cannot-answer",
    TalkEnd = "talk-end",
    TalkEnded = "talk-ended",
    TalkTimedOut = "talk-timed-out",
    TooMany { emergency_number } = "too-many",
    Privacy { days } = "privacy",
    ForgetAsk = "forget-ask",
    ForgetYes = "forget-yes",
    ForgetNo = "forget-no",
    ConfirmForget { code } = "confirm-forget",
    Forgotten = "forgotten",
    PassProve = "pass-prove",
    PassNotRegistered = "pass-not-registered",
    PassWhose = "pass-whose",
    PassHeading { name } = "pass-heading",
    PassUntilSampled { until, hours, since, at } = "pass-until-sampled",
    PassUntilReported { until, hours, since, at } = "pass-until-reported",
    PassOverSampled { until, hours, since, at } = "pass-over-sampled",
    PassOverReported { until, hours, since, at } = "pass-over-reported",
    PassOpen { hours, since, sampled, reported } = "pass-open",
    PassOpenSampled { hours, since, sampled } = "pass-open-sampled",
    PassForWith { purposes, needs } = "pass-for-with",
    PassFor { purposes } = "pass-for",
    PurposeGate = "purpose-gate",
    PurposePublicTransport = "purpose-public-transport",
    PurposeHospital = "purpose-hospital",
    NeedEntryCard = "need-entry-card",
    NeedEPass = "need-e-pass",
    ListAnd = "list-and",
    ListOr = "list-or",
    PassAwaited = "pass-awaited",
    PassNone = "pass-none",
    PassNoRecord = "pass-no-record",
    PassNotLinked = "pass-not-linked",
    PassUnavailable = "pass-unavailable",
    PassDoubt = "pass-doubt",
    PassStillHolds = "pass-still-holds",
    Unknown = "unknown",
    WordsOnly = "words-only",
    Emergency { emergency_number } = "emergency",
    // locales/*/notices.ftl
    WindowHeading = "window-heading",
    ReminderHeading = "reminder-heading",
    CorrectionHeading = "correction-heading",
    CalledOffHeading = "called-off-heading",
    CalledOffNext = "called-off-next",
    WindowsHeading = "windows-heading",
    WindowLine { place, time, site } = "window-line",
    OthersLine { place, time, site } = "others-line",
    GreenLine { place, time, site } = "green-line",
    OtherTimeHint = "other-time-hint",
    SiteWithAddress { site, address } = "site-with-address",
    Crowded = "crowded",
    MoreWindows { count } = "more-windows",
    OnTime = "on-time",
    RegisterLink { link } = "register-link",
    OpenRegistration = "open-registration",
    WaitForCall = "wait-for-call",
    CallHeading = "call-heading",
    CallRemedy = "call-remedy",
    WhatToBring = "what-to-bring",
    NoWindow = "no-window",
    PlaceWindowsHeading = "place-windows-heading",
    PlaceNoWindow { place } = "place-no-window",
    Moved = "moved",
    MissedHeading = "missed-heading",
    MissedAdvice = "missed-advice",
    OpenMap { site } = "open-map",
    StopHint = "stop-hint",
    MenuHint = "menu-hint",
    ScanCode = "scan-code",
    TestMessage = "test-message",
    // locales/*/incidents.ftl
    IncidentHeading = "incident-heading",
    IncidentAdvice = "incident-advice",
    IncidentOverHeading = "incident-over-heading",
    IncidentOverPast = "incident-over-past",
    IncidentDone = "incident-done",
    SheetTitle = "sheet-title",
    SheetGuide = "sheet-guide",
    SheetDone = "sheet-done",
    SheetTime = "sheet-time",
    SheetDoor = "sheet-door",
    SheetName = "sheet-name",
    SheetPhone = "sheet-phone",
    SheetLane = "sheet-lane",
    SheetGreen = "sheet-green",
    SheetSign = "sheet-sign",
    SheetCode = "sheet-code",
    SheetCount = "sheet-count",
    SheetPage { page, pages } = "sheet-page",
    SheetIncident { id } = "sheet-incident",
    SheetPrivate = "sheet-private",
    // locales/*/answers.ftl
    AnswerWindow { time, site } = "answer-window",
    AnswerWindowRule = "answer-window-rule",
    AnswerChangeTimeWindow = "answer-change-time-window",
    AnswerPassRules = "answer-pass-rules",
    AnswerProofHours = "answer-proof-hours",
    AnswerProofOwn { sampled_at, valid_until } = "answer-proof-own",
    AnswerGetPass = "answer-get-pass",
    AnswerGetPassPhone { community_phone } = "answer-get-pass-phone",
    AnswerGetPassHuman = "answer-get-pass-human",
    AnswerHealthCode = "answer-health-code",
    AnswerPublicTransportAccess = "answer-public-transport-access",
    AnswerTransportStatus = "answer-transport-status",
    AnswerHospitalAccess = "answer-hospital-access",
    AnswerEmergencyCare = "answer-emergency-care",
    AnswerEmergencyCareCall { emergency_number } = "answer-emergency-care-call",
    AnswerHomeSamplingApply = "answer-home-sampling-apply",
    AnswerHomeSamplingStatus { request_id, request_status } = "answer-home-sampling-status",
    AnswerHomeSamplingCancel { request_id } = "answer-home-sampling-cancel",
    AnswerHomeSamplingEligibility = "answer-home-sampling-eligibility",
    AnswerGreenLane = "answer-green-lane",
    AnswerWhatToBring = "answer-what-to-bring",
    AnswerAfterSampling = "answer-after-sampling",
    AnswerSystemOutage = "answer-system-outage",
    AnswerNoSmartphone = "answer-no-smartphone",
    AnswerMissedTestEnrolment = "answer-missed-test-enrolment",
    AnswerMissedTestEnrolmentNews { official_channel } = "answer-missed-test-enrolment-news",
    AnswerSuppliesStatus = "answer-supplies-status",
    AnswerPriceGougingReport = "answer-price-gouging-report",
    AnswerPriceGougingReportPhone { price_hotline } = "answer-price-gouging-report-phone",
    AnswerPriceGougingReportWrite = "answer-price-gouging-report-write",
    AnswerReportIncident = "answer-report-incident",
    AnswerReportIncidentDanger { emergency_number } = "answer-report-incident-danger",
    AnswerOptIn = "answer-opt-in",
    AnswerOptOut = "answer-opt-out",
    AnswerChangeLanguage = "answer-change-language",
    AnswerTalkToHuman = "answer-talk-to-human",
    AnswerCommunityPhone { community_phone } = "answer-community-phone",
    AnswerHelpMenu = "answer-help-menu",
    AnswerHuman = "answer-human",
    AnswerLifeInDanger { emergency_number } = "answer-life-in-danger",
    AnswerNone = "answer-none",
    // locales/*/visits.ftl
    VisitAsked { place } = "visit-asked",
    VisitAccepted { place } = "visit-accepted",
    VisitScheduled { time } = "visit-scheduled",
    VisitMoved { time } = "visit-moved",
    VisitRetime = "visit-retime",
    VisitOnTheWay = "visit-on-the-way",
    VisitVisitor { name, role } = "visit-visitor",
    VisitCode { code } = "visit-code",
    VisitDone = "visit-done",
    VisitNotMet = "visit-not-met",
    VisitLapsed = "visit-lapsed",
    VisitDeclined { reason } = "visit-declined",
    VisitDeclinedPlain = "visit-declined-plain",
    VisitCancelled = "visit-cancelled",
    VisitHint = "visit-hint",
    VisitWhom = "visit-whom",
    VisitMyself = "visit-myself",
    VisitFamily = "visit-family",
    VisitNeighbour = "visit-neighbour",
    VisitName = "visit-name",
    VisitWhere = "visit-where",
    VisitBuilding { area } = "visit-building",
    VisitBuildingNumber { area, first, last } = "visit-building-number",
    VisitUnit { area } = "visit-unit",
    VisitUnitNumber { area, first, last } = "visit-unit-number",
    VisitDoor { place } = "visit-door",
    VisitWhy = "visit-why",
    VisitWhyLegs = "visit-why-legs",
    VisitWhyBed = "visit-why-bed",
    VisitWhyCare = "visit-why-care",
    VisitWhen = "visit-when",
    VisitTodayMorning = "visit-today-morning",
    VisitTodayAfternoon = "visit-today-afternoon",
    VisitTomorrowMorning = "visit-tomorrow-morning",
    VisitTomorrowAfternoon = "visit-tomorrow-afternoon",
    VisitAnyTime = "visit-any-time",
    VisitPhone = "visit-phone",
    VisitPhoneOf = "visit-phone-of",
    VisitOwnPhone = "visit-own-phone",
    VisitAccess = "visit-access",
    VisitNoteLift = "visit-note-lift",
    VisitNoteDog = "visit-note-dog",
    VisitNoteHearing = "visit-note-hearing",
    VisitNoNote = "visit-no-note",
    VisitAgainPlease = "visit-again-please",
    VisitSummary { name, place, why, when, phone, access } = "visit-summary",
    VisitSummaryCode { code } = "visit-summary-code",
    VisitSummaryCodeSent = "visit-summary-code-sent",
    VisitSend = "visit-send",
    VisitFix = "visit-fix",
    VisitDrop = "visit-drop",
    VisitDropped = "visit-dropped",
    VisitFixWhich = "visit-fix-which",
    VisitFixName = "visit-fix-name",
    VisitFixWhere = "visit-fix-where",
    VisitFixWhy = "visit-fix-why",
    VisitFixWhen = "visit-fix-when",
    VisitFixPhone = "visit-fix-phone",
    VisitFixAccess = "visit-fix-access",
    VisitBack = "visit-back",
    VisitGoOn = "visit-go-on",
    VisitWaits = "visit-waits",
    VisitBefore = "visit-before",
    VisitJoined { name, people } = "visit-joined",
    VisitApart { name } = "visit-apart",
    VisitWhich = "visit-which",
    VisitNone = "visit-none",
    VisitNotNow = "visit-not-now",
    VisitChanged = "visit-changed",
    VisitPhoneKept = "visit-phone-kept",
    VisitAskAgain = "visit-ask-again",
    VisitMove = "visit-move",
    VisitCancel = "visit-cancel",
    VisitEditPhone = "visit-edit-phone",
    VisitEditAccess = "visit-edit-access",
    VisitNotMetAsk = "visit-not-met-ask",
    VisitNew = "visit-new",
    VisitConfirmCancel { code } = "visit-confirm-cancel",
    VisitConfirmAgain { code } = "visit-confirm-again",
    VisitConfirmChange { what, code } = "visit-confirm-change",
    MenuVisits = "menu-visits",
    VisitorNurse = "visitor-nurse",
    VisitorDoctor = "visitor-doctor",
    VisitorVolunteer = "visitor-volunteer",
    VisitorWorker = "visitor-worker",
    DeclineSiteIsNear = "decline-site-is-near",
    DeclineNotReached = "decline-not-reached",
    DeclineOutsideArea = "decline-outside-area",
    DeclineNoNeed = "decline-no-need",
    DeclineDuplicate = "decline-duplicate",
    VisitStateAsked = "visit-state-asked",
    VisitStateAccepted = "visit-state-accepted",
    VisitStateScheduled = "visit-state-scheduled",
    VisitStateOnTheWay = "visit-state-on-the-way",
    VisitStateDone = "visit-state-done",
    VisitStateDeclined = "visit-state-declined",
    VisitStateCancelled = "visit-state-cancelled",
    VisitStateMissed = "visit-state-missed",
    VisitListTitle = "visit-list-title",
    VisitListGuide = "visit-list-guide",
    VisitListTime = "visit-list-time",
    VisitListWhere = "visit-list-where",
    VisitListWho = "visit-list-who",
    VisitListPeople = "visit-list-people",
    VisitListPhone = "visit-list-phone",
    VisitListNotes = "visit-list-notes",
    VisitListCode = "visit-list-code",
    VisitListDone = "visit-list-done",
    VisitListNumber = "visit-list-number",
    VisitListUrgent = "visit-list-urgent",
    VisitListPrivate = "visit-list-private",
    VisitListCount { count } = "visit-list-count",
    // locales/*/workers.ftl
    WorkBroadcast = "work-broadcast",
    WorkToday = "work-today",
    WorkDuty = "work-duty",
    WorkRefused { role } = "work-refused",
    WorkElsewhere { area } = "work-elsewhere",
    WorkGone = "work-gone",
    WorkOldButton = "work-old-button",
    WorkToWhom = "work-to-whom",
    WorkAllOf { area } = "work-all-of",
    WorkCity = "work-city",
    WorkCancel = "work-cancel",
    WorkDropped = "work-dropped",
    WorkWho { area } = "work-who",
    WorkEveryone = "work-everyone",
    WorkGreen = "work-green",
    WorkRegular = "work-regular",
    WorkElderly = "work-elderly",
    WorkNoSmartphone = "work-no-smartphone",
    WorkLimitedMobility = "work-limited-mobility",
    WorkEnglishReaders = "work-english-readers",
    WorkWrite { language, max } = "work-write",
    WorkTextFault { max } = "work-text-fault",
    WorkWritten { languages } = "work-written",
    WorkAddLanguage { language } = "work-add-language",
    WorkPreview = "work-preview",
    WorkReady = "work-ready",
    WorkReadyChoose = "work-ready-choose",
    WorkBlanks { blanks } = "work-blanks",
    WorkCounted { people, messages, telegram, sms, parts } = "work-counted",
    WorkCost { cost } = "work-cost",
    WorkNotReached { stopped, unreached } = "work-not-reached",
    WorkMissing { language, count } = "work-missing",
    WorkTypeCount { people } = "work-type-count",
    WorkWrongCount { people } = "work-wrong-count",
    WorkCountChanged { people } = "work-count-changed",
    WorkSecondPerson { size } = "work-second-person",
    WorkNobody = "work-nobody",
    WorkTest = "work-test",
    WorkTestSms = "work-test-sms",
    WorkWaits { id } = "work-waits",
    WorkApprove = "work-approve",
    WorkApproved { id } = "work-approved",
    WorkOwn = "work-own",
    WorkTooLate = "work-too-late",
    WorkPause = "work-pause",
    WorkResume = "work-resume",
    WorkWithdraw = "work-withdraw",
    WorkRefresh = "work-refresh",
    WorkShow = "work-show",
    BroadcastWaits { id, people } = "broadcast-waits",
    BroadcastProgress { id, state, messages, arrived, open, failed, stopped, withdrawn } = "broadcast-progress",
    BroadcastDraft = "broadcast-draft",
    BroadcastWaiting = "broadcast-waiting",
    BroadcastActive = "broadcast-active",
    BroadcastSending = "broadcast-sending",
    BroadcastPaused = "broadcast-paused",
    BroadcastDone = "broadcast-done",
    BroadcastCancelled = "broadcast-cancelled",
    BroadcastSkipped = "broadcast-skipped",
    RoleViewer = "role-viewer",
    RoleWorker = "role-worker",
    RoleCoordinator = "role-coordinator",
    RoleOperator = "role-operator",
    WorkInvited = "work-invited",
    WorkShare = "work-share",
    WorkAccepted { name, role } = "work-accepted",
    WorkOtherPhone = "work-other-phone",
    WorkNotOwn = "work-not-own",
    WorkInvitationGone = "work-invitation-gone",
    WorkAlready = "work-already",
    WorkTaken { name } = "work-taken",
    WorkUndo = "work-undo",
    WorkUndone = "work-undone",
    WorkOnDuty = "work-on-duty",
    WorkOffDuty = "work-off-duty",
    WorkGlance { mode, rounds, incidents, sending, waiting } = "work-glance",
    TodayNotices { arrived, open, failed, stopped } = "today-notices",
    TodaySites { all, reported, trouble } = "today-sites",
    TodayVisits { asked, accepted, under_way } = "today-visits",
    TodayWaiting { count, minutes } = "today-waiting",
    TodayLoad { now } = "today-load",
    TodayNoLoad = "today-no-load",
    InboxCard { id, place } = "inbox-card",
    InboxNowhere = "inbox-nowhere",
    InboxUrgent = "inbox-urgent",
    InboxResident { words } = "inbox-resident",
    InboxStaff { words } = "inbox-staff",
    InboxWaits { minutes } = "inbox-waits",
    InboxHeld { name } = "inbox-held",
    InboxHow = "inbox-how",
    InboxClaim = "inbox-claim",
    InboxAnswer = "inbox-answer",
    InboxPass = "inbox-pass",
    InboxClose = "inbox-close",
    InboxClaimed { id } = "inbox-claimed",
    InboxTaken { name } = "inbox-taken",
    InboxOver = "inbox-over",
    InboxWrite { id } = "inbox-write",
    InboxSent { id } = "inbox-sent",
    InboxUnreachable = "inbox-unreachable",
    InboxPassed { id } = "inbox-passed",
    InboxClosed { id } = "inbox-closed",
    InboxEmpty = "inbox-empty",
    InboxSaid { words } = "inbox-said",
    InboxApproved { title } = "inbox-approved",
    InboxPreview { id } = "inbox-preview",
    InboxSend = "inbox-send",
    InboxBack = "inbox-back",
    TitlePassRules = "title-pass-rules",
    TitleHealthCode = "title-health-code",
    TitlePublicTransportAccess = "title-public-transport-access",
    TitleTransportStatus = "title-transport-status",
    TitleHospitalAccess = "title-hospital-access",
    TitleEmergencyCare = "title-emergency-care",
    TitleHomeSamplingEligibility = "title-home-sampling-eligibility",
    TitleGreenLane = "title-green-lane",
    TitleWhatToBring = "title-what-to-bring",
    TitleAfterSampling = "title-after-sampling",
    TitleSystemOutage = "title-system-outage",
    TitleNoSmartphone = "title-no-smartphone",
    TitleMissedTestEnrolment = "title-missed-test-enrolment",
    TitleSuppliesStatus = "title-supplies-status",
    TitlePriceGougingReport = "title-price-gouging-report",
    TitleReportIncident = "title-report-incident",
    WorkInbox = "work-inbox",
    WorkVisits = "work-visits",
    VisitsNone = "visits-none",
    VisitsMore { count } = "visits-more",
    VisitsAskAgain = "visits-ask-again",
    VisitsPeople { count } = "visits-people",
    VisitsCode { code } = "visits-code",
    VisitsAccept = "visits-accept",
    VisitsDecline = "visits-decline",
    VisitsAssign = "visits-assign",
    VisitsSetOut = "visits-set-out",
    VisitsFinish = "visits-finish",
    VisitsNotMeet = "visits-not-meet",
    VisitsWhy = "visits-why",
    VisitsWhichTeam = "visits-which-team",
    VisitsOvertaken { state } = "visits-overtaken",
    VisitsNotNow { state } = "visits-not-now",
    VisitsRaised { id } = "visits-raised",
    VisitsCalledOff { id } = "visits-called-off",
    WorkSite = "work-site",
    WorkIncident = "work-incident",
    SiteNowhere = "site-nowhere",
    SiteWhich = "site-which",
    SiteOther = "site-other",
    SiteOld = "site-old",
    SiteLine { site } = "site-line",
    SiteLineWith { length, distance } = "site-line-with",
    SiteApart = "site-apart",
    SiteClose = "site-close",
    QueueNone = "queue-none",
    QueueShort = "queue-short",
    QueueLong = "queue-long",
    QueueVeryLong = "queue-very-long",
    SiteDesks { planned } = "site-desks",
    SiteDesksShort { number } = "site-desks-short",
    SiteRest = "site-rest",
    SiteWell = "site-well",
    SiteSuppliesLow = "site-supplies-low",
    SiteSuppliesOut = "site-supplies-out",
    SiteRegistration = "site-registration",
    SiteWeather = "site-weather",
    SiteTroubleOther = "site-trouble-other",
    SiteClosed = "site-closed",
    SiteLineLong = "site-line-long",
    SiteStored = "site-stored",
    SiteSummary { site, line, desks, rest } = "site-summary",
    SiteProposedDesks = "site-proposed-desks",
    SiteProposedClosed = "site-proposed-closed",
    SitePhoto = "site-photo",
    SitePhotoTaken = "site-photo-taken",
    SitePhotoOf { site, name } = "site-photo-of",
    IncidentWhere = "incident-where",
    IncidentWhy = "incident-why",
    IncidentSureOpen { place, reason } = "incident-sure-open",
    IncidentSurePropose { place, reason } = "incident-sure-propose",
    IncidentOpen = "incident-open",
    IncidentPropose = "incident-propose",
    IncidentOpened { id, people } = "incident-opened",
    IncidentOpenAlready { id } = "incident-open-already",
    IncidentProposed = "incident-proposed",
    ProposalDesks { place, before, after } = "proposal-desks",
    ProposalIncident { place, reason } = "proposal-incident",
    ProposalConfirm = "proposal-confirm",
    ProposalLeave = "proposal-leave",
    ProposalConfirmed { name } = "proposal-confirmed",
    ProposalLeft { name } = "proposal-left",
    ProposalOvertaken = "proposal-overtaken",
    ProposalYours = "proposal-yours",
    ProposalDesksSet { place, after } = "proposal-desks-set",
    ProposalMoved { windows, people, minutes } = "proposal-moved",
    ProposalNotMoved = "proposal-not-moved",
    ProposalStuck { count } = "proposal-stuck",
    AlertPacing { since } = "alert-pacing",
    AlertBlind { since } = "alert-blind",
    AlertChannel { channel, since } = "alert-channel",
    AlertQueue { channel, since } = "alert-queue",
    AlertVisit { id, since } = "alert-visit",
    AlertTalk { id, since } = "alert-talk",
    AlertSite { site, what, since } = "alert-site",
    AlertProposal { id } = "alert-proposal",
    AlertSee = "alert-see",
    AlertSeen = "alert-seen",
    AlertOver = "alert-over",
    ReadySiteClosed { place, time } = "ready-site-closed",
    ReadySiteClosedLabel = "ready-site-closed-label",
    ReadyTest { place, time } = "ready-test",
    ReadyTestLabel = "ready-test-label",
    ReadyDelivery { place, time } = "ready-delivery",
    ReadyDeliveryLabel = "ready-delivery-label",
    BlankPlace = "blank-place",
    BlankTime = "blank-time",
    PacingUnsteered = "pacing-unsteered",
    PacingSteady = "pacing-steady",
    PacingSlowed = "pacing-slowed",
    PacingPaused = "pacing-paused",
    PacingRecovering = "pacing-recovering",
    PacingBlind = "pacing-blind",
    PacingHeld = "pacing-held",
    PacingFreed = "pacing-freed",
}

/// The attribute that holds the short form for text messages.
const SMS: &str = "sms";

const ZH_HANS: [&str; 7] = [
    include_str!("../../locales/zh-Hans/conversation.ftl"),
    include_str!("../../locales/zh-Hans/notices.ftl"),
    include_str!("../../locales/zh-Hans/incidents.ftl"),
    include_str!("../../locales/zh-Hans/answers.ftl"),
    include_str!("../../locales/zh-Hans/visits.ftl"),
    include_str!("../../locales/zh-Hans/workers.ftl"),
    include_str!("../../locales/zh-Hans/field.ftl"),
];
const ZH_HANT: [&str; 7] = [
    include_str!("../../locales/zh-Hant/conversation.ftl"),
    include_str!("../../locales/zh-Hant/notices.ftl"),
    include_str!("../../locales/zh-Hant/incidents.ftl"),
    include_str!("../../locales/zh-Hant/answers.ftl"),
    include_str!("../../locales/zh-Hant/visits.ftl"),
    include_str!("../../locales/zh-Hant/workers.ftl"),
    include_str!("../../locales/zh-Hant/field.ftl"),
];
const EN: [&str; 7] = [
    include_str!("../../locales/en/conversation.ftl"),
    include_str!("../../locales/en/notices.ftl"),
    include_str!("../../locales/en/incidents.ftl"),
    include_str!("../../locales/en/answers.ftl"),
    include_str!("../../locales/en/visits.ftl"),
    include_str!("../../locales/en/workers.ftl"),
    include_str!("../../locales/en/field.ftl"),
];

/// Every text in every language, and those that a coordinator has set in other words: clones share them. Cheap to
/// clone.
#[derive(Clone)]
pub struct Texts(Arc<[FluentBundle<FluentResource>; 3]>, SetWords);

/// A file under `locales/` is not as the code needs it; the tests find this before anything ships.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("locales/{}: {fault}", language.code())]
pub struct LocaleFault {
    /// Which language's files.
    pub language: Language,
    /// What is wrong, and with which key.
    pub fault: String,
}

impl Texts {
    /// Reads the built-in texts and fills each one once, so that afterwards none can lack anything.
    pub fn load() -> Result<Self, LocaleFault> {
        let [simplified, traditional, english] = Language::ALL;
        let built_in = [
            bundle(simplified, &ZH_HANS)?,
            bundle(traditional, &ZH_HANT)?,
            bundle(english, &EN)?,
        ];
        Ok(Self(Arc::new(built_in), SetWords::default()))
    }

    /// The words of `text`, in the short form where the channel is SMS and there is one.
    pub(crate) fn say(&self, language: Language, channel: ChannelKind, text: &Text<'_>) -> String {
        let bundle = self.bundle(language);
        let short = channel == ChannelKind::Sms && has_short_form(bundle, text.key());
        if let Some(words) = self.1.say(language, text.key(), short, &text.arguments()) {
            return words;
        }
        format(bundle, text.key(), short, &text.arguments())
            .expect("load has filled every text of every language")
    }
}

impl Texts {
    fn bundle(&self, language: Language) -> &FluentBundle<FluentResource> {
        &self.0[match language {
            Language::ZhHans => 0,
            Language::ZhHant => 1,
            Language::En => 2,
        }]
    }
}

impl Texts {
    /// The bot's commands with what they do, for Telegram's own menu. The conversation reads them as words.
    pub fn commands(&self, language: Language) -> Vec<(&'static str, String)> {
        [
            ("window", Text::MenuWindows),
            ("pass", Text::MenuPass),
            ("home", Text::MenuHome),
            ("language", Text::MenuLanguage),
            ("stop", Text::MenuStop),
            ("help", Text::MenuHelp),
            ("person", Text::MenuPerson),
            ("visit", Text::MenuVisits),
            ("privacy", Text::MenuPrivacy),
        ]
        .map(|(command, label)| (command, self.say(language, ChannelKind::Telegram, &label)))
        .into()
    }
}

/// How one person is spoken to.
#[derive(Clone, Copy, Debug)]
pub struct Voice<'a> {
    /// The approved words.
    pub texts: &'a Texts,
    /// The person's language.
    pub language: Language,
    /// How they are written to.
    pub channel: ChannelKind,
    /// Begins every text message.
    pub sender_name: &'a str,
}

impl Voice<'_> {
    /// The words of one text.
    pub(crate) fn say(&self, text: &Text<'_>) -> String {
        self.texts.say(self.language, self.channel, text)
    }

    /// One message of these paragraphs.
    pub(crate) fn message(&self, paragraphs: &[String]) -> String {
        match self.channel {
            ChannelKind::Telegram => paragraphs.join("\n\n"),
            // The law asks that a text message begins with its sender.
            ChannelKind::Sms => format!("【{}】{}", self.sender_name, paragraphs.join("\n")),
        }
    }
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Texts")
    }
}

/// One moment as people say it: `9月3日(周六)下午2:10`, `Sat 3 Sep, 2:10 pm`.
pub fn moment(language: Language, tz: Tz, at: DateTime<Utc>) -> String {
    let local = at.with_timezone(&tz);
    day(language, local.date_naive(), false) + &hour(language, local.time(), true)
}

/// A day without its weekday: `9月3日`, `3 September`.
pub fn date(language: Language, tz: Tz, at: DateTime<Utc>) -> String {
    let local = at.with_timezone(&tz);
    match language {
        Language::En => local.format("%-d %B").to_string(),
        Language::ZhHans | Language::ZhHant => format!("{}月{}日", local.month(), local.day()),
    }
}

/// A window's time as people say it: `9月3日(周六)下午2:10–2:30`, `Sat 3 Sep, 2:10–2:30 pm`.
pub fn span(
    language: Language,
    tz: Tz,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    today: bool,
) -> String {
    let (starts, ends) = (starts_at.with_timezone(&tz), ends_at.with_timezone(&tz));
    let (from, to) = (starts.time(), ends.time());
    let mut said = day(language, starts.date_naive(), today);
    if starts.date_naive() != ends.date_naive() {
        // A window past midnight names both days.
        let _ = write!(said, "{}–", hour(language, from, true));
        said.push_str(&day(language, ends.date_naive(), false));
        said.push_str(&hour(language, to, true));
        return said;
    }
    said.push_str(&hours(language, from, to));
    said
}

/// From and to of one day: `下午2:10–2:30`, `2:10–2:30 pm`.
pub fn hours(language: Language, from: NaiveTime, to: NaiveTime) -> String {
    let same_part = part_of_day(language, from) == part_of_day(language, to);
    // Chinese puts the part of the day before the first time, English after the last.
    let (name_first, name_last) = match language {
        Language::En => (!same_part, true),
        Language::ZhHans | Language::ZhHant => (true, !same_part),
    };
    format!(
        "{}–{}",
        hour(language, from, name_first),
        hour(language, to, name_last)
    )
}

/// A date as people say it: `9月3日(周六)`; English ends with a comma, for the time that follows.
pub fn day(language: Language, date: NaiveDate, today: bool) -> String {
    if language == Language::En {
        let date = date.format("%a %-d %b");
        return if today {
            format!("today ({date}), ")
        } else {
            format!("{date}, ")
        };
    }
    let weekday = ["一", "二", "三", "四", "五", "六", "日"][date.weekday().num_days_from_monday() as usize];
    let week = if language == Language::ZhHans {
        "周"
    } else {
        "週"
    };
    let (month, day) = (date.month(), date.day());
    if today {
        format!("今天({month}月{day}日{week}{weekday})")
    } else {
        format!("{month}月{day}日({week}{weekday})")
    }
}

fn hour(language: Language, time: NaiveTime, named: bool) -> String {
    let part = if named { part_of_day(language, time) } else { "" };
    let minute = time.minute();
    let (_, twelve) = time.hour12();
    match language {
        Language::En if named => format!("{twelve}:{minute:02} {part}"),
        Language::En => format!("{twelve}:{minute:02}"),
        // The hour after midnight is 凌晨0:10, not 凌晨12:10.
        Language::ZhHans | Language::ZhHant if time.hour() == 0 => format!("{part}0:{minute:02}"),
        Language::ZhHans | Language::ZhHant => format!("{part}{twelve}:{minute:02}"),
    }
}

fn part_of_day(language: Language, time: NaiveTime) -> &'static str {
    match (language, time.hour()) {
        (Language::En, 0..12) => "am",
        (Language::En, _) => "pm",
        (_, 0..6) => "凌晨",
        (_, 6..12) => "上午",
        (_, 12) => "中午",
        (_, 13..18) => "下午",
        (_, _) => "晚上",
    }
}

fn bundle(language: Language, files: &[&str]) -> Result<FluentBundle<FluentResource>, LocaleFault> {
    let fault = |fault: String| LocaleFault { language, fault };
    let tag: LanguageIdentifier = language
        .code()
        .parse()
        .map_err(|_| fault("not a language tag".into()))?;
    let mut bundle = FluentBundle::new_concurrent(vec![tag]);
    bundle.set_use_isolating(false); // Or text messages would carry invisible marks.
    bundle.add_builtins().map_err(|error| fault(error.to_string()))?;
    for file in files {
        let resource =
            FluentResource::try_new((*file).to_owned()).map_err(|(_, errors)| fault(said(&errors)))?;
        bundle
            .add_resource(resource)
            .map_err(|errors| fault(said(&errors)))?;
    }
    for (key, names) in KEYS {
        let arguments: Vec<_> = names.iter().map(|name| (*name, "–")).collect();
        format(&bundle, key, false, &arguments).map_err(fault)?;
        if has_short_form(&bundle, key) {
            format(&bundle, key, true, &arguments).map_err(fault)?;
        }
    }
    Ok(bundle)
}

fn has_short_form(bundle: &FluentBundle<FluentResource>, key: &str) -> bool {
    bundle
        .get_message(key)
        .is_some_and(|message| message.get_attribute(SMS).is_some())
}

fn format(
    bundle: &FluentBundle<FluentResource>,
    key: &str,
    short: bool,
    arguments: &[(&'static str, &str)],
) -> Result<String, String> {
    let message = bundle
        .get_message(key)
        .ok_or_else(|| format!("{key} is missing"))?;
    let pattern = if short {
        message.get_attribute(SMS).map(|attribute| attribute.value())
    } else {
        message.value()
    };
    let pattern = pattern.ok_or_else(|| format!("{key} is empty"))?;
    let mut filled = FluentArgs::with_capacity(arguments.len());
    for (name, value) in arguments {
        filled.set(*name, Cow::Borrowed(*value));
    }
    let mut errors: Vec<FluentError> = Vec::new();
    let text = bundle
        .format_pattern(pattern, Some(&filled), &mut errors)
        .into_owned();
    if errors.is_empty() {
        Ok(text)
    } else {
        Err(format!("{key}: {}", said(&errors)))
    }
}

fn said(errors: &[impl std::fmt::Display]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use chrono::TimeZone;
    use chrono_tz::Asia::Shanghai;

    use super::*;

    const FILES: [(Language, [&str; 7]); 3] = [
        (Language::ZhHans, ZH_HANS),
        (Language::ZhHant, ZH_HANT),
        (Language::En, EN),
    ];

    /// What a language's files hold: each key (`key` or `key.sms`), with the arguments it uses.
    fn keys(files: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
        let (mut keys, mut message, mut at) = (BTreeMap::new(), String::new(), String::new());
        for line in files
            .iter()
            .flat_map(|file| file.lines())
            .filter(|line| !line.starts_with('#'))
        {
            if let Some((key, _)) = line.split_once(" = ") {
                if let Some(attribute) = key.trim_start().strip_prefix('.') {
                    at = format!("{message}.{attribute}");
                } else if !key.contains(' ') {
                    (message, at) = (key.to_owned(), key.to_owned());
                }
                keys.entry(at.clone()).or_insert_with(BTreeSet::new);
            }
            for name in line.split("{ $").skip(1) {
                let name = name.split(' ').next().expect("split gives one").to_owned();
                keys.get_mut(&at)
                    .expect("a text starts with its key")
                    .insert(name);
            }
        }
        keys
    }

    #[test]
    fn every_language_has_every_text_with_the_same_arguments_and_no_other() {
        Texts::load().expect("the built-in texts are whole");
        let first = keys(&FILES[0].1);
        for (key, names) in KEYS {
            let names: BTreeSet<_> = names.iter().map(ToString::to_string).collect();
            assert_eq!(first.get(*key), Some(&names), "{key} fills all it is given");
        }
        let used: BTreeSet<_> = KEYS.iter().map(|(key, _)| *key).collect();
        assert_eq!(used.len(), KEYS.len(), "a key is used once");
        for (language, files) in &FILES {
            let keys = keys(files);
            for key in keys.keys() {
                let message = key.strip_suffix(".sms").unwrap_or(key);
                assert!(used.contains(message), "{}: nothing says {key}", language.code());
            }
            assert_eq!(keys, first, "{} differs from zh-Hans", language.code());
        }
    }

    #[test]
    fn a_text_that_lacks_something_is_a_fault_before_it_is_sent() {
        let texts = Texts::load().expect("the built-in texts are whole");
        for bundle in texts.0.iter() {
            assert!(format(bundle, "home-set", false, &[]).is_err());
            assert!(format(bundle, "no-such-text", false, &[]).is_err());
        }
        assert!(bundle(Language::En, &["greeting = Hello { $nobody }"]).is_err());
        assert!(bundle(Language::En, &["greeting = { "]).is_err());
    }

    /// Every text of a language from top to bottom, for reading.
    fn all(language: Language) -> String {
        let texts = Texts::load().expect("the built-in texts are whole");
        let bundle = &texts.0[Language::ALL.iter().position(|l| *l == language).expect("listed")];
        let mut out = String::new();
        for (key, names) in KEYS {
            let shown: Vec<_> = names.iter().map(|name| (*name, format!("‹{name}›"))).collect();
            let arguments: Vec<_> = shown
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let _ = writeln!(
                out,
                "{key}\n{}",
                format(bundle, key, false, &arguments).expect("filled")
            );
            if has_short_form(bundle, key) {
                let _ = writeln!(
                    out,
                    "SMS: {}",
                    format(bundle, key, true, &arguments).expect("filled")
                );
            }
            out.push('\n');
        }
        out
    }

    #[test]
    fn texts_of_every_language() {
        insta::assert_snapshot!("zh-Hans", all(Language::ZhHans));
        insta::assert_snapshot!("zh-Hant", all(Language::ZhHant));
        insta::assert_snapshot!("en", all(Language::En));
    }

    #[test]
    fn times_are_written_as_people_say_them() {
        let at = |day, hour, minute| {
            Shanghai
                .with_ymd_and_hms(2022, 9, day, hour, minute, 0)
                .single()
                .expect("exists")
                .to_utc()
        };
        let mut out = String::new();
        for (from, to, today) in [
            (at(3, 14, 10), at(3, 14, 30), false),
            (at(3, 14, 10), at(3, 14, 30), true),
            (at(3, 11, 50), at(3, 12, 10), false),
            (at(4, 12, 30), at(4, 13, 0), false),
            (at(3, 17, 50), at(3, 18, 5), false),
            (at(3, 23, 40), at(4, 0, 10), false),
        ] {
            for language in Language::ALL {
                let _ = writeln!(out, "{}", span(language, Shanghai, from, to, today));
            }
        }
        insta::assert_snapshot!(out);
    }
}
