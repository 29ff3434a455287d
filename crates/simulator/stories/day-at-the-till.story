# An ordinary day: everything that a till does, without a fault. The totals agree in the evening.
title en An ordinary day at the till
title zh 收银台普通的一天
terminal T1
card C1 product debit-standard

T1: sign-in                                  -> 00
T1: echo                                     -> 00
T1: balance C1 pin right                     -> 00
T1: sale C1 30.00 pin right                  -> 00
T1: sale C1 20.00 pin right                  -> 00
T1: void                                     -> 00
T1: pre-auth C1 100.00 pin right             -> 00
T1: complete 80.00                           -> 00
T1: refund C1 5.00                           -> 00
T1: settle                                   -> 00 balanced
T1: sign-in                                  -> 00
T1: sign-out                                 -> 00
