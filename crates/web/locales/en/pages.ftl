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
effect-require-step-up = A second proof of identity is needed next time
effect-step-up-passed = Second proof given; it counts until { $until }
effect-restrict = Payments above { $max } refused until { $until }
effect-unrestrict = Restriction lifted
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
about-read-only = This console only reads. Actions by staff come with staff sign-in; until then it listens on this machine only.
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
