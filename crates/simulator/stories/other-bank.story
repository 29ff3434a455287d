# A card of another bank: the host translates the PIN for the bank that issued it, asks, and passes the answer on.
# That bank counts its tries; here nothing is counted. Amounts are its levers: .51 is its refusal, .95 posts and hangs up.
title en A card of another bank is forwarded to it
title zh 他行卡转发至发卡行
terminal T1
card C1 product foreign

T1: sign-in                           -> 00
T1: sale C1 128.00 pin right          -> 00
T1: void                              -> 00
T1: sale C1 20.00 pin wrong           -> 55     # the other bank says so
T1: sale C1 20.00 pin right           -> 00
T1: sale C1 15.51 pin right           -> 51     # its code, passed on
T1: sale C1 10.95 pin right           -> 98     # posted there, and the line broke: reversed there
wait 2s
T1: sale C1 30.00 pin right           -> 00 reversed=00
