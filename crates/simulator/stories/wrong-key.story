# A terminal whose PIN key is out of step sends blocks that nobody can read: 99, sign in again. Nobody's tries move: after
# four unreadable blocks a wrong PIN is still the first one, and the right one is approved.
title en A wrong key is not a wrong PIN
title zh 密钥错误不是密码错误
terminal T1
card C1 product debit-standard

T1: sign-in                                  -> 00
T1: sale C1 40.00 pin right wrong-tpk        -> 99
T1: sale C1 40.00 pin right wrong-tpk        -> 99
T1: sale C1 40.00 pin right wrong-tpk        -> 99
T1: sale C1 40.00 pin right wrong-tpk        -> 99
T1: sale C1 40.00 pin right wrong-tak        -> A0
T1: sign-in                                  -> 00
T1: sale C1 40.00 pin wrong                  -> 55
T1: sale C1 40.00 pin right                  -> 00
T1: void                                     -> 00
