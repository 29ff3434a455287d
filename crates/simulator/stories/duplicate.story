# A frame that arrives twice is decided once, and both replies are the same, byte for byte. The wrong PIN that is sent twice
# costs one try: otherwise the third line would be 75.
title en The same frame twice is one payment
title zh 同一报文重发只处理一次
terminal T1
card C1 product debit-standard

T1: sign-in                                  -> 00
T1: sale C1 25.00 pin wrong sent-twice       -> 55 same-bytes
T1: sale C1 25.00 pin wrong                  -> 55
T1: sale C1 25.00 pin right sent-twice       -> 00 same-bytes
T1: repeat                                   -> 00 same-bytes
T1: void                                     -> 00
