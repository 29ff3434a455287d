# A day of two terminals that have a key for every transaction: one with TDES, one with AES. They sign in for the batch, not for
# keys. A key that comes a second time proves nothing, and costs no try: after it a wrong PIN is still the first one.
title en A day with a key for every transaction (DUKPT)
title zh 一笔一密（DUKPT）的一天
terminal T1 scheme tdes-dukpt
terminal T2 scheme aes-dukpt
card C1 product debit-standard

T1: sign-in                                  -> 00
T1: balance C1 pin right                     -> 00
T1: sale C1 30.00 pin right                  -> 00
T1: repeat                                   -> 00 same-bytes
T1: sale C1 31.00 pin right replayed-ksn     -> 63                # 63 = security violation: the PIN is not looked at
T1: sale C1 31.00 pin right wrong-tpk        -> 99
T1: sale C1 31.00 pin right wrong-tak        -> A0
T1: sale C1 32.00 pin wrong                  -> 55
T1: sale C1 32.00 pin right lost-reply       -> --
T1: sale C1 33.00 pin right                  -> 00 reversed=00
T1: void                                     -> 00
T1: settle                                   -> 00 balanced
T2: sign-in                                  -> 00
T2: sale C1 20.00 pin right                  -> 00
T2: sale C1 21.00 pin right replayed-ksn     -> 63
T2: sale C1 22.00 pin wrong                  -> 55
T2: pre-auth C1 100.00 pin right             -> 00
T2: complete 80.00                           -> 00
T2: refund C1 5.00                           -> 00
T2: settle                                   -> 00 balanced
T1: sign-in                                  -> 00
T1: sign-out                                 -> 00
T2: sign-in                                  -> 00
T2: sign-out                                 -> 00
