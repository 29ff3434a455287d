# The frame of every page, and words that several pages use.

lang-own-name = English
skip = Skip to the content
sandbox = SANDBOX
sandbox-sentence = Test keys and made-up cards: nothing here moves real money.

nav = Main
nav-menu = Menu
nav-operate = Operate
nav-records = Records
nav-reference = Reference
nav-overview = Overview
nav-transactions = Transactions
nav-incidents = Incidents
nav-register = Incident register
nav-rules = Risk rules
nav-cards = Cards & PINs
nav-terminals = Terminals
nav-codes = Response codes
nav-docs = API
nav-about = About this host

search = Search transactions
search-hint = card last 4 / RRN / terminal / merchant
show = Show
close = Close
more = More
paging = Pages of the list
filters = Filters
as-table = As a table

theme = Colours
theme-system = Auto
theme-light = Light
theme-dark = Dark

help-open = Keyboard shortcuts
help-title = Keyboard
key-search = Go to the search box
key-overview = Overview
key-transactions = Transactions
key-incidents = Incidents
key-cards = Cards & PINs
key-move = Next and previous row
key-open = Open the row
key-copy = Copy the link to this page
key-help = This help
keys-are-on = Single-key shortcuts are on. They never work while you type.
keys-are-off = Single-key shortcuts are off.
keys-turn-off = Turn shortcuts off
keys-turn-on = Turn shortcuts on

time-now = now
time-ago = { $span } ago
time-in = in { $span }
span-days = { $b ->
    [0] { $a } d
   *[other] { $a } d { $b } h
}
span-hours = { $b ->
    [0] { $a } h
   *[other] { $a } h { $b } min
}
span-minutes = { $a } min
span-seconds = { $a } s

# Families: whose matter a reason is.
family-ok = Approved
family-warn = Cardholder can mend
family-lock = Locked
family-sys = System & network
family-bad = Security
family-neutral = Funds & limits

# Columns.
col-time = Time
col-card = Card
col-merchant-terminal = Merchant · terminal
col-amount = Amount
col-code = Code
col-verdict = Verdict
col-cause = Cause
col-onset = First sign
col-confidence = Confidence
col-cards = Cards
col-refused = Refused
col-status = Status
col-locked = Locked
col-restored = Tries
col-tries-cost = Try
col-sessions = Sessions
col-wrong = Wrong
col-rate = Rate
col-entries = Entries
col-lasted = After
col-alert = Alert
col-object = Where
col-when = When
col-for = For
col-do = Do
col-kind = Kind
col-terminal = Terminal
col-merchant = Merchant
col-field = Field
col-name = Name
col-value = Value
col-offset = Byte
col-tries = PIN tries
col-standing = State
col-product = Product
col-balance = Balance
col-last-used = Last used
col-session = Session
col-since = Since
col-check-values = Key check values
col-batch = Batch
col-last-seen = Last seen
col-meaning = Meaning
col-class = Class
col-counter = PIN try counter
col-action = What to do
col-check = Check
col-health = Result
col-detail = Detail

# PIN state.
tries-left-of = { $left } of { $limit } tries left
tries-left = { $left ->
    [0] no tries left
    [one] 1 try left
   *[other] { $left } tries left
}
locked = Locked
locked-until = Locked until { $at } ({ $relative }).
locked-until-past = The lock ended by itself at { $at }.
locked-until-staff = Locked until the bank’s staff release it
opens = opens { $relative }
opens-by-staff = only staff can release it
step-up-required = Second proof needed
restricted = Restricted
free = Can pay
block-lost = Reported lost
block-stolen = Reported stolen
block-staff = Blocked by staff
block-rule = Blocked by a risk rule

# Kinds of transactions and of other lines.
kind-balance = Balance inquiry
kind-sale = Sale
kind-sale-void = Void of a sale
kind-refund = Refund
kind-pre-auth = Pre-authorization
kind-pre-auth-void = Void of a pre-authorization
kind-completion = Completion
kind-completion-void = Void of a completion
kind-cash = Cash withdrawal
kind-pin-change = PIN change
kind-reversal = Reversal
kind-sign-in = Sign-in
kind-sign-out = Sign-out
kind-settlement = Settlement
kind-refused = Refused message
kind-unlock = Released by staff
kind-block = Blocked by staff
kind-block-lost = Blocked as lost
kind-block-stolen = Blocked as stolen
kind-unblock = Block lifted
kind-pass-step-up = Second proof given
kind-unrestrict = Restriction lifted
kind-answer-step-up = Answer of the cardholder
kind-restore-tries = Tries given back after a fault
kind-suspended = Terminal suspended
kind-resumed = Terminal allowed again
kind-sign-in-ordered = Told to sign in again
kind-keys-staged = New keys wait for the terminal
kind-keys-unstaged = New keys taken back
kind-keys-adopted = Moved to new keys
kind-keys-fell-back = Back to the old keys
kind-keys-retired = Old keys taken away
kind-noted = Noted message
kind-upstream-given-up = Given up at the issuer
kind-upstream-reversal = Reversal to the issuer
kind-upstream-reversed = Reversal acknowledged by the issuer
kind-upstream-late-reply = Late answer from the issuer

# Empty lists.
no-transactions = No transactions yet
no-transactions-words = Payments, reversals and refusals appear here as they are decided. To play a card that is locked after three wrong PINs, run:
no-match = Nothing matches
no-match-words = Try the last four digits of the card, a terminal number, or fewer filters.
