# A day of a terminal with SM4 keys: it signs in with network function 006, and everything else is as ever.
title en A day with SM4 keys
title zh 国密 SM4 密钥的一天
terminal T1 scheme sm4
card C1 product debit-standard

T1: sign-in                                  -> 00
T1: balance C1 pin right                     -> 00
T1: sale C1 30.00 pin right                  -> 00
T1: sale C1 30.00 pin wrong sent-twice       -> 55 same-bytes
T1: sale C1 20.00 pin right wrong-tpk        -> 99
T1: sale C1 20.00 pin right wrong-tak        -> A0
T1: sale C1 20.00 pin right lost-reply       -> --
T1: sale C1 20.00 pin right                  -> 00 reversed=00
T1: void                                     -> 00
T1: pre-auth C1 100.00 pin right             -> 00
T1: complete 80.00                           -> 00
T1: refund C1 5.00                           -> 00
T1: settle                                   -> 00 balanced
T1: sign-in                                  -> 00
T1: sign-out                                 -> 00
