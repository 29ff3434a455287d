# The shop's own people sign on: who did is part of every payment, and a wrong operator password is no wrong PIN.
title zh 收银员签到：操作员密码与持卡人密码互不相干
title en The cashier signs on: an operator password is no PIN
terminal T1
card C1

# Operators and passwords are those of sandbox.json. A wrong one is O1 and never 55, and no card's try is counted.
T1: sign-in                              -> 00
T1: sign-on 01 7395 lost-reply           -> --
T1: sign-on 01 7395                      -> 00
T1: repeat                               -> 00
T1: sale C1 12.00 pin right              -> 00     # made by operator 01
T1: sign-on 02 9046                      -> O1
T1: repeat                               -> O1     # one guess, however often it arrives
T1: sign-on 77 9046                      -> O1     # nobody learns which operators there are
T1: operator-reset 02 6407               -> O1     # cashier 01 resets nobody
T1: sign-on 02 5028                      -> 00
T1: sale C1 12.00 pin wrong              -> 55     # a PIN, and a counter of its own
T1: sale C1 12.00 pin right              -> 00     # made by operator 02
T1: sign-off                             -> 00
