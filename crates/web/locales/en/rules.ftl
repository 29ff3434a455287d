# Risk rules.

rules-title = Risk rules
rules-new = New version
rules-edit = Edit as a new version
rules-live = At work
rules-before = before it:
rules-none = No rule set is live
rules-none-words = Rules approve, ask for a second proof, decline or alert within the authorization. Begin with the starter set: put it down, let it run in shadow, then ask a second person to publish it.
rules-no-engine = No rule engine reports to this console, so there are no figures of hits.
rules-versions = Versions
rules-no-versions = No version yet
rules-no-versions-words = What you write in the editor is checked and kept as a version that never changes.
rule-demoted = held back by the breaker
rule-restore = Put { $rule } back
rule-restore-words = The circuit breaker put this rule into shadow because it declined too much. Putting it back makes it act again; that takes two people.
mode-off = off
mode-shadow = shadow
mode-live = live
action-alert = alert
action-review = review
action-approve = approve
action-step-up = step up
action-decline = decline
action-block-card = decline, block the card
action-block-terminal = decline, suspend the terminal
col-rule = Rule
col-rule-action = Action
col-mode = Mode
col-owner = Owner
col-hits = Hits
col-hits-shadow = In shadow
col-errors = Errors
col-version = Version
col-author = By
col-drafted = Put down
col-set = Set
col-payments = Payments
col-declined = Would decline
col-precision = Precision
col-lost = Approved lost
col-lost-volume = Volume lost
col-examples = Largest examples

# One version.
set-draft = draft
set-shadow = in shadow
set-requested = waits for a second person
set-live = live
set-withdrawn = withdrawn
set-way = Where it stands
set-rules = Its rules
set-text = The file
set-drafted-words = put down by { $by }, { $at }
set-draft-words = It is kept, and not at work.
set-shadow-words = It has been running beside the live set since { $at }; none of its rules acts.
set-requested-words = { $by } asks for it to become live. Somebody else has to agree.
set-live-words = It has been acting since { $at }.
set-withdrawn-words = It is not at work any more. It can go into shadow again.
set-do-shadow = Put into shadow
set-do-shadow-words = It runs beside the live set on every payment, and none of its rules acts: what it would have done is recorded.
set-do-request = Ask for publication
set-do-request-words = A second person is asked to agree. Until then nothing changes.
set-do-activate = Publish
set-do-activate-words = It becomes the live set at once, and the one before is withdrawn. Whoever asked cannot agree.
set-do-withdraw = Withdraw
set-do-withdraw-words = It is taken off its way. It stays among the versions.
set-do-roll-back = Take it back
set-do-roll-back-words = At once no rule acts any more. The version before can go into shadow and be published again.
your-name = Your name, if you have not signed in
diff-title = What it would change
diff-no-live = There is no live set to compare with: every rule would be new.
diff-none = Its rules are those of the live set.
diff-live = Live
diff-this = This version
backtest-title = What it would have done
backtest-none = It has not been tried on the past yet.
backtest-runs = Playing the past
backtest-progress = { $played } of { $of } payments
backtest-failed = It could not be tried: no rule engine runs beside this console, or the journal is away.
backtest-window = Payments from { $from } to { $to }, with their own times as the clock and without side effects.
backtest-difference = Declined by both sets: { $both }; by the live one only: { $live }; by this one only: { $this }.
backtest-days = Days of the past
backtest-run = Try it on the past

# Editor.
edit-title = A new version of the rules
edit-text = Rules (TOML, conditions in CEL)
edit-words = What you put down is checked, kept as a version, and does nothing until it is in shadow or live.
edit-check = Only check
edit-save = Put down
edit-back = Back
edit-well = It is a rule set: nothing is wrong with it.
edit-problems = { $count ->
    [one] 1 problem: nothing was put down
   *[other] { $count } problems: nothing was put down
}
edit-place = line { $line }, column { $column }
edit-instead = Write instead:

# Lists and snoozes.
lists-title = Lists
lists-none = The live set declares no list.
list-empty = Empty.
list-more = and { $count } more
list-name = List
list-member = Member: terminal, merchant, BIN or card id
list-enter = Enter
until = until { $at }
end-now = End
snoozes-title = Snoozes
snoozes-none = No rule is snoozed for anybody.
snooze-member = For: terminal, merchant, BIN or card id
snooze-begin = Snooze
hours = Hours
hours-or-none = Hours, or none

# What was done, and what was not.
rules-done-drafted = The version is kept.
rules-done-shadowed = It runs in shadow.
rules-done-requested = A second person is asked to agree.
rules-done-activated = It is live.
rules-done-withdrawn = It is withdrawn.
rules-done-restored = The rule acts again.
rules-done-entered = It is entered.
rules-done-ended = It is ended.
rules-refused-not-checked = the file has { $count } problems
rules-refused-known = the same text was put down before
rules-refused-unknown-version = there is no such rule set
rules-refused-wrong-state = the version is not where it has to be for that
rules-refused-same-person = whoever asked for it cannot agree to it
rules-refused-unknown-rule = the live set has no such rule
rules-refused-not-demoted = the rule is not held back
rules-refused-unknown-list = the live set declares no such list
rules-refused-end = the end is in the past, or more than 31 days away
rules-refused-nobody = somebody has to answer for it
rules-refused-too-many = there are too many versions
