# Each page's own words.

# Overview.
overview-title = Overview
window = Window
window-15m = Last 15 minutes
window-1h = Last hour
window-6h = Last 6 hours
window-24h = Last 24 hours
tile-rate = Transactions/s
tile-approved = Approval rate
tile-55 = 55 wrong PIN
tile-75 = 75 tries exceeded
tile-p99 = p99
tile-terminals = Terminals seen
tile-peak = peak { $peak }
tile-before = before { $before }
tile-change = { $change } pts vs. before
tile-nothing-before = nothing to compare with
tile-registered = of { $count } registered
declines-per-minute = Declines per minute, by whose matter they are
declines-per-slot = Declines per { $span }, by whose matter they are
declines-none = No declines in this window.
declines-finding = { $count ->
    [one] 1 decline
   *[other] { $total } declines
} in this window, most of them “{ $family }” ({ $most }). Worst around { $at }, with { $worst }.
attention-title = Needs attention
attention-all = All { $count } incidents
attention-none = Nothing needs you
attention-none-words = Clusters of wrong PINs, locked cards, keys out of step and broken messages appear here.
attention-wrong-pins-at-terminal = { $count } wrong PINs at one terminal
attention-wrong-pins-on-card = { $count } wrong PINs on one card
attention-card-locked = Card locked
attention-keys-out-of-step = { $count ->
    [one] Keys out of step
   *[other] Keys out of step, { $count } times
}
attention-mac-failures = { $count } wrong MACs
attention-format-errors = { $count } broken messages
last-declines = Last declines
all-declines = All declines
no-declines = No declines

# Transactions.
transactions-title = Transactions
filter-code = Code
filter-family = Whose matter
filter-any = All
filter-declined = Declined only
filter-clear = Clear all
filter-remove = remove this filter
filter-card = Card { $value }…
filter-terminal = Terminal { $value }
filter-from = From { $value }
filter-to = To { $value }
new-rows = { "{n}" } new
rows-shown = { $count ->
    [one] 1 row
   *[other] { $count } rows
}
newest = Newest
older = Older

# One transaction.
why-declined = Why { $code }?
why-approved = { $kind }, approved
copy-link = Copy link
link-copied = Link copied
verdict = Verdict
try-charged = One PIN try was charged.
opens-by-itself = It opens by itself { $relative }.
try-not-charged = No PIN try was charged.
timeline-card = This card, before and after
timeline-terminal = The same terminal, before and after
this-one = this one
no-try-charged = no try charged
pin-state = PIN state
pin-after-this = After this transaction
pin-now = Now
pin-no-card = No card was touched, so no PIN state either.
pin-evidence = What the security module proved
pin-not-asked = It was not asked.
pin-verified = The PIN was right.
pin-mismatch = The PIN was wrong.
pin-unverifiable = It could not tell: this is a fault, not a wrong PIN.
pin-discarded = Asked, but another decision came first; the proof was thrown away.
pin-sent-to-issuer = Sent on to the card's issuer under the zone key; the issuer looked at it and counts its tries.
with-cause = { $words } ({ $cause })
todo = What to do
particulars = Particulars
fact-stan = Trace number
fact-batch = Batch
fact-approval = Approval code
fact-reason = Reason
fact-took = Took
fact-journal = Journal place
fact-original = Original
fact-followed-by = Followed by
effects = What it changed
effects-none = Nothing: neither money nor PIN tries.
effect-count-try = Wrong PINs counted since the last right one: { $used }
effect-reset-tries = All PIN tries given back
effect-lock = Card locked until { $until }
effect-lock-staff = Card locked until staff release it
effect-unlock-time = Lock ended: its time came
effect-unlock-staff = Lock ended by the bank’s staff
effect-unlock-new-pin = Lock ended: the holder set a new PIN
effect-set-pin = New PIN set by the holder
effect-reset-pin = PIN reset: the old one is worth nothing; activation good until { $until }
effect-fail-activation = Attempt number { $failed } to use the activation, counted before it is looked at
effect-require-pin-change = PIN must be changed before the next payment
effect-remind-pin-age = Holder to be reminded: PIN to be changed within { $days } days
effect-require-step-up = A second proof of identity is needed next time
effect-step-up-passed = Second proof given; it counts until { $until }
effect-restrict = Payments above { $max } refused until { $until }
effect-unrestrict = Restriction lifted
effect-restore-tries = Tries given back that a fault had consumed: { $count } (incident { $incident })
effect-post = Balance changed by { $delta }
effect-hold = Held sum changed by { $delta }
effect-remember = Remembered, so that a repeat gets the same answer
effect-mark = The original became: { $status }
effect-block = Card blocked: { $block }
effect-unblock = Block lifted
effect-desk = By { $actor }: { $why }
effect-sign-in = Signed in to batch { $batch } with fresh keys; check values { $values }
effect-sign-out = Signed out: the terminal’s keys are dropped
effect-settle = Batch { $batch } settled; the totals agree
effect-settle-unbalanced = Batch { $batch } settled; the totals do not agree
effect-refused = Refused before any card was touched: neither money nor PIN tries
effect-bury = The reversal came first: its original is refused if it still comes
effect-noted = Noted only
effect-keys-staged = New keys ({ $scheme }, check value { $value }) wait for the terminal; plan { $plan }
effect-keys-unstaged = The new keys were taken back
effect-keys-adopted = The terminal uses its new keys
effect-keys-fell-back = The terminal went back to its old keys
effect-keys-retired = The old keys are gone
effect-ksn = Key serial number { $ksn } is used up
effect-suspend = Terminal suspended by staff
effect-order-sign-in = Told by staff to sign in again; its next answer orders it
effect-resume = Terminal allowed again by staff
effect-issuer = Passed on as trace number { $stan } over { $route }; the issuer’s answer: { $code }
effect-forward = Written down before it leaves for the issuer
effect-undo = To be undone at the issuer
effect-undo-said = The reversal leaves for the issuer for the first time
effect-forward-done = Nothing is open with the issuer any more
status-approved = in force
status-declined = declined
status-reversed = reversed
status-voided = voided
status-completed = completed
status-lapsed = lapsed
message-request = Request
message-reply = Response
message-not-kept = This message was not kept.
message-unreadable = This message cannot be read in any dialect that we know.

# Cards.
cards-title = Cards & PINs
filter-pan = Card number
filter-locked = Locked only
first-part = First
no-cards = No cards yet
no-cards-words = Registered cards appear here with their PIN tries and locks. To register made-up ones, run:
card-title = Card’s PIN state
product-unknown = The product “{ $product }” has no policy here, so the number of tries is unknown.
lock-since = Locked since
lock-until = Locked until
locks-in-a-row = Locks in a row
step-up = Second proof
step-up-wanted = Needed before the PIN is looked at again
step-up-passed = Given; counts until { $until }
restriction = Restriction
restriction-words = At most { $max } per payment until { $until }
restriction-no-cash = At most { $max } per payment and no cash until { $until }
block = Block
account = Account
expiry = Expires
held = Held by pre-authorizations
available = Available
card-id = Id
ladder-title = What wrong PINs lead to: { $product }
ladder-nth = Wrong PIN { $n }
ladder-refused = { $left ->
    [one] Refused with 55, 1 try left.
   *[other] Refused with 55, { $left } tries left.
}
ladder-step-up = The next attempt needs a second proof of identity, which then counts for { $span }.
ladder-restrict = Payments above { $max } are refused for { $hours } h.
ladder-restrict-no-cash = Payments above { $max } and all cash are refused for { $hours } h.
ladder-lock = Refused with { $code } and locked: { $release }.
ladder-lock-nth = Lock { $n } in a row, { $code }: { $release }.
ladder-lock-nth-on = Lock { $n } in a row and every one after, { $code }: { $release }.
ladder-here = The card is here.
ladder-never = Time-outs, lost or repeated messages, and key or format faults never move the card on this ladder. A right PIN takes it back to the start; a restriction still runs until its hours end.
release-after = it opens by itself after { $hours } h
release-next-day = it opens at the next midnight in { $zone }
release-by-staff = only the bank’s staff can release it
recent-attempts = Recent attempts
all-attempts = All of this card
no-attempts = Never used
no-attempts-words = Its payments and refusals will appear here.

# Terminals.
terminals-title = Terminals
col-keys = Keys
scheme-tdes = TDES
scheme-tdes-dukpt = TDES DUKPT
scheme-aes-dukpt = AES DUKPT
scheme-sm4 = SM4
stage-untouched = not reached yet
stage-staged = new keys wait
stage-fell-back = went back to the old keys
stage-moved = moved
stage-finished = moved, old keys gone
terminal-signed-in = Signed in
terminal-signed-out = Not signed in
terminal-suspended = Suspended
no-terminals = No terminals yet
no-terminals-words = Registered terminals appear here with their session and batch. To register made-up ones, run:
check-values-words = Check values of PIN key, MAC key and track key: equal on both sides when the keys are in step. They reveal nothing of the keys.

# Handbook.
codes-title = Response codes
codes-lead = What the two characters in DE 39 mean, what they do to the PIN try counter, and what to do. 55 is a wrong PIN; 75 means that the tries are used up.
filter-find-code = Code or words
code-explained = What it means
code-facts = In detail
code-prompt = Shown on the terminal
code-cause = Where the trouble is
code-source = Source
code-transactions = Transactions answered { $code }

# About.
about-title = About this host
about-host = Host
about-version = Version
about-mode = Mode
about-mode-sandbox = Sandbox
about-mode-production = Production
about-time = Time here
about-journal = Journal entries
about-filled = Entries in the look-up tables
about-behind = ({ $count } behind)
about-hsm = Security module
about-hsm-words = PINs are decrypted and compared only inside the security module. This console never sees a PIN, a PIN block, a key or a full card number.
about-read-only = Whatever is done here is recorded. Until staff sign in, this console listens on this machine only, and whoever reaches it is recorded as “console”.
about-health = Health
about-probes = For monitors:
health-ok = Well
health-bad = Not well

# API.
docs-title = API
docs-lead = All that this console shows, as JSON. The description for programs (OpenAPI 3.1) is at
docs-parameters = Parameters
docs-answers = Answers
docs-try = Try it
docs-problems = Problems
docs-problems-words = Failures are application/problem+json (RFC 9457) with type, title, detail, code and request_id. Programs decide by code; the words follow Accept-Language.
docs-schemas = Shapes

# Why.
why-link = Why? The verdict, its evidence and what to do
why-confidence = (confidence { $value }: of 100 verdicts that say so, about { $share } are right).
certain-sure = Sure
certain-probable = Probable
certain-possible = Possible
why-revised = Revised { $count ->
    [one] once
   *[other] { $count } times
}, last { $when }.
why-against = What speaks against it:
why-against-none = nothing that we know of.
why-else = Else it could be:
why-none = There is no diagnosis of this refusal: it is too long ago, or the journal is still being read. Its reason stands above.
why-none-approved = This was not refused, so there is nothing to explain.
evidence-title = Evidence weights
evidence-none = There is no evidence beyond the reason itself.
evidence-for = for
evidence-against = against
evidence-scale = To the right: speaks for the verdict; to the left: against it. +2.3 means ten times likelier.
lanes-title = Timeline: who did what
lane-card = Card
lane-terminal = Terminal
lane-host = Line & host
lane-issuer = Issuer
pattern-title = The pattern behind it
pattern-none = This refusal stands alone: no incident explains it.
pattern-words = { $cards ->
    [one] 1 card
   *[other] { $cards } cards
}, { $refused ->
    [one] 1 payment
   *[other] { $refused } payments
} refused; the first sign { $onset }.
feedback-title = Is the verdict right?
feedback-wrong = said to be wrong
playbook = Playbook
prevention = Prevents the next one

# What can be done.
deed-why = Reason
deed-reviewer = Reviewed by
deed-note = Note
deed-note-add = Add
deed-assign = Assign
deed-take = Take it
deed-not-yours = Your role does not judge verdicts.
deed-restore = { $count ->
    [one] Restore tries of 1 card
   *[other] Restore tries of { $count } cards
}
deed-restore-words = { $count ->
    [one] Restores the tries of 1 card that this fault cost it, and releases the lock that they led to.
   *[other] Restores the tries of { $count } cards that this fault cost them, and releases the locks that they led to.
} It is written into the journal under your name and the reviewer’s.
deed-suspend = Suspend { $terminal }
deed-suspend-words = Refuses every payment at { $terminal } until somebody takes it back into use. Nobody’s tries are touched.
deed-sign-in = Force a re-sign-in
deed-sign-in-words = The next answer to { $terminal } asks it to sign in and fetch new working keys. Payments go on as soon as it has.
deed-evidence = Evidence as a file
deed-contradict = Wrong verdict
deed-contradict-words = What you say is kept beside the verdict and counted; the verdict itself stays.
deed-cause = What was it really?
deed-cause-unknown = I do not know
deed-handle = Save
deed-answer = Link
done-restored = { $count ->
    [0] No card was waiting: the tries were restored before.
    [one] The tries of 1 card are restored.
   *[other] The tries of { $count } cards are restored.
}
done-contradicted = Your word on the verdict is kept. Thank you.
done-handled = The status is saved.
done-assigned = It is written down whose it is.
done-noted = The note is kept.
done-answered = What answers it is linked.
done-suspended = The terminal is suspended.
done-sign-in = The terminal is asked to sign in with its next answer.

# Incidents.
incidents-title = Incidents
incidents-which = Which incidents
incidents-open = Open
incidents-over = Over or closed
incidents-retracted = Retracted or absorbed
incidents-all = All
incidents-none = No incidents yet
incidents-none-words = When several refusals have one cause – a wrong key, a broken keypad, somebody who sprays PINs – it stands here with its scope, its evidence and what to do.
incidents-none-here = None of these
incidents-none-here-words = No incident has this status. Look at the others above.
incident-no = No. { $id }
incident-provisional = Provisional
incident-open = Going on
incident-absorbed = Explained by another
incident-over = Over
incident-retracted = Retracted
incident-handling = Status
incident-assignee = Whose it is
incident-nobody = Nobody’s yet
incident-onset = First sign
incident-detected = Detected
incident-sessions = { $count ->
    [one] after 1 card session
   *[other] after { $count } card sessions
}
incident-last-seen = Last sign
incident-touched = Touched
incident-touched-words = { $cards ->
    [one] 1 card
   *[other] { $cards } cards
}, { $refused ->
    [one] 1 payment
   *[other] { $refused } payments
} refused, { $sum } in all
incident-parent = Explained by
incident-children = Explains
handling-new = Not taken up
handling-seen = Taken up
handling-closed = Closed
harmed-title = Cards that it cost tries
harmed-none = It cost no card a try.
restored = restored
not-restored = waits
already-reset = already reset by a right PIN
refused-title = Refused payments
refused-none = None is known any more.
one-try = one try charged
answers-title = What answered it
answers-none = Nothing yet: link the rule, firmware or training that prevents the next one.
answer-kind = Kind
answer-name = Name
answer-rule = Rule
answer-firmware = Firmware
answer-training = Training
answer-other = Other
answer-before = Before, per week
answer-after = After, per week
history-title = What became of it
step-opened = Found
step-revised = Revised
step-absorbed = Explained by another
step-ended = Over
step-retracted = Retracted
step-note = Note
step-acknowledged = Taken up
step-closed = Closed
step-reopened = Opened again
step-assigned = Given to
step-restored = Tries restored
step-answered = Answered by
and-more = and { $count } more
scope-terminal = Terminal { $name }
scope-merchant = Merchant { $name }
scope-card = Card { $name }
scope-bin = BIN { $name }
scope-zone = Issuer { $name }
scope-firmware = Version { $name }
scope-network = Line { $name }
scope-instance = Host { $name }
scope-agent = Agent { $name }

# Register.
register-title = Incident register
register-list = Incidents
register-none = No incidents in this window
register-count = Incidents
register-cards = Cards touched
register-sum = Refused in all
register-detection = Median time to detection
register-waiting = Cards waiting for tries
register-whole = The charts count all { $lines } lines of the window.
register-part = The charts count the newest { $lines } lines; the window has more.
window-7d = Last 7 days
window-30d = Last 30 days
window-90d = Last 90 days
trend-cause = By cause
trend-merchant = By merchant
trend-model = By model
trend-firmware = By firmware
trend-region = By region
trend-none = Not known for these incidents.
trend-words = later half { $now }, earlier half { $before }, { $cards ->
    [one] 1 card
   *[other] { $cards } cards
}
chart-nothing = No PIN was entered in this window.
funnel-title = Wrong first entries by terminal, against volume
funnel-axis = card sessions
funnel-terminal = terminal
funnel-out = beyond 99.8%
funnel-none = { $count ->
    [one] The one terminal is
   *[other] All { $count } terminals are
} within what chance explains; { $usual } of first entries are wrong.
funnel-finding = { $count ->
    [one] 1 terminal of { $of } is
   *[other] { $count } terminals of { $of } are
} beyond what chance explains; the worst is { $worst } with { $rate }, where { $usual } is usual.
heat-title = Wrong PINs by hour and day
heat-finding = { $wrong ->
    [one] 1 wrong PIN
   *[other] { $wrong } wrong PINs
}; the worst hour is { $day } { $hour } with { $rate } of entries.
heat-none = { $wrong ->
    [one] 1 wrong PIN
   *[other] { $wrong } wrong PINs
}; no hour has entries enough to stand out.
survival-title = From lock to release
survival-none = No card was locked in this window.
survival-staff = released by staff
survival-time = released by time
survival-finding = { $count ->
    [one] 1 lock
   *[other] { $count } locks
}: { $staff } released by staff, { $time } by time, { $still } still closed.
day-mon = Mon
day-tue = Tue
day-wed = Wed
day-thu = Thu
day-fri = Fri
day-sat = Sat
day-sun = Sun

hops-title = Where the time went
hop-all = arrival to decision
hop-host = host
hop-issuer = issuer

# What is no incident.
watched-title = Being watched
watched-words = These look as if something may be wrong. Most of it comes to nothing; nobody is alarmed, and an incident is opened when it is sure enough.
watched-none = Nothing stands out.
col-looks-like = Looks like
col-began = Since
col-card-sessions = Card sessions
col-sign = Strongest sign
terminal-watched = Watched: { $cause }
diagnosis-behind = The diagnosis is { $seconds } s behind: payments come first, and it catches up when there is room. What happened since is not on this page yet.
gaps-title = What could not be seen
gap-clock = This host’s clock went back at { $at }. Nothing is concluded across it.
gap-silence = No payment was decided from { $since } to { $until }. Nothing is concluded across it.

# What was learned.
learned-answers = What answered incidents, and whether it helped
learned-answers-none = Nothing is linked yet. On an incident’s page, link the rule, firmware or training that answers it; how often its cause comes before and after is then counted here.
learned-judged = Verdicts that people looked at
learned-judged-none = Nobody has said yet whether a verdict was right. “Wrong verdict” on the page of a refusal does.
col-incident = Incident
col-said-right = Right
col-said-wrong = Wrong
col-right-share = Share that is right
answer-days = in { $days ->
    [one] 1 day
   *[other] { $days } days
}
