# Signing in, two pairs of eyes, the audit log.

nav-office = Office
nav-proposals = Second person
nav-audit = Audit
nav-staff = Staff
nav-account = Account

sign-in-title = Sign in
sign-in-username = User name
sign-in-password = Password
sign-in-totp = Code of the authenticator app
sign-in-do = Sign in
sign-in-wrong = Not signed in. User name, password or code is wrong, the code was used before, or the account waits after too many guesses.
sign-out = Sign out
sandbox-staff = Staff of this sandbox
sandbox-staff-words = Made-up people with passwords that everybody may read. They stand in sandbox.json too.

set-up-title = Set up an account
set-up-for = Set up the account of { $name }
set-up-password = New password, at least 12 characters
set-up-again = The same again
set-up-app = Put this secret into an authenticator app (time-based, six digits):
set-up-open-app = Open it in an app on this device
set-up-totp = The code that the app shows
set-up-do = Set up
set-up-differ = The two passwords differ.
set-up-wrong-code = The code is wrong. Does the app have the secret above, and is the clock right?
set-up-weak-short = The password has fewer than 12 characters.
set-up-weak-long = The password has more than 128 characters.
set-up-weak-common = The password is made of a word that everybody tries first.
set-up-weak-name = The password is made of the user name.
set-up-weak-monotonous = The password has fewer than five different characters.

account-title = Account
account-console = Nobody signed in. Whoever reaches this console on this machine may do what one person may do alone; nobody is their own second person.
account-may = What you may do, or ask for
needs-second = needs a second person

role-cashier = Cashier
role-merchant = Merchant
role-agent = Agent
role-supervisor = Supervisor
role-risk-analyst = Risk analyst
role-estate-engineer = Estate engineer
role-key-custodian = Key custodian
role-auditor = Auditor
role-administrator = Administrator

col-role = Role
col-username = User name
col-password = Password
col-totp-now = Code now
col-signed-in = Last signed in
col-state = State
col-number = No.
col-who = Who
col-outcome = Outcome

proposals-title = Waiting for a second person
proposals-lead = Some actions need two people. Whoever approves must be another person, in another session, on another device, and approves exactly what stands here.
proposals-none = Nothing waits
proposals-none-words = When somebody asks for a PIN reset, gives tries back or lifts a block, it waits here until another person has decided.
proposal-why = Why: { $why }
proposal-by = Asked for by { $name }
proposal-done = Approved by { $name }.
proposal-declined = Turned down by { $name }:
proposal-approve = Approve and do it
proposal-decline = Turn down
proposal-withdraw = Take back
proposal-sign-in = Sign in to decide
proposal-open = waits
proposal-expired = waited too long
proposal-approved = approved
proposal-turned-down = turned down
proposal-withdrawn = taken back
proposal-carried-out = done
why-label = Why

audit-title = Audit log
audit-lead = Who did or saw what, newest first. Every record is a leaf of a tree (RFC 6962) whose root is signed: a record that is changed, taken out or moved is found.
audit-action = Action
audit-object = Of what
audit-none = Nothing recorded yet
audit-none-words = The first sign-in, or the first action, is the first record.
audit-export = Export, signed
audit-key = The key that verifies exports:
outcome-done = done
outcome-refused = refused
outcome-failed = failed

staff-title = Staff
staff-none = Nobody has an account
staff-none-words = While nobody has one, the console is open to whoever reaches it on this machine.
staff-closed = closed
staff-not-set-up = not set up
staff-waits = waits after wrong guesses
staff-open = open

card-actions = What can be done
card-action-unlock = Unlock: give all tries back
card-action-block = Block the card
card-action-unblock = Lift the block
card-action-unrestrict = Lift the restriction
card-action-nothing = There is nothing to undo.
card-holder = Holder
card-holder-words = A reset makes the old PIN worth nothing and sends the holder a one-time link; nobody here sees or sets a PIN. The card's page tells the holder how the card is, why, and what to do.
card-reset-pin = Reset the PIN
card-send-page = Send the card's page
pin-reset-pending = PIN reset, new one not set
