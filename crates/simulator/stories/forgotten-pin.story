# The cardholder remembers in time: the right PIN within the limit is approved and gives all tries back.
title en The PIN comes back to mind in time
title zh 及时想起密码
terminal T1
card C1 product debit-standard

T1: sign-in                           -> 00
T1: sale C1 88.00 pin wrong           -> 55
T1: sale C1 88.00 pin wrong           -> 55
T1: sale C1 88.00 pin right           -> 00
T1: sale C1 18.00 pin wrong           -> 55     # counted from the beginning again
T1: sale C1 18.00 pin wrong           -> 55
T1: sale C1 18.00 pin right           -> 00
T1: void                              -> 00
