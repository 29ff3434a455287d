# A lost packet is not a wrong PIN. Two messages are lost between two wrong PINs; if either had cost a try, the second
# wrong PIN would be answered with 75.
title en A lost packet is not a wrong PIN
title zh 丢包不是密码错误
terminal T1
card C1 product debit-standard

T1: sign-in                                  -> 00
T1: sale C1 66.00 pin wrong                  -> 55
T1: sale C1 66.00 pin right lost-request     -> --                # the host never sees it
T1: sale C1 66.00 pin wrong                  -> 55 reversed=00    # still one try left
T1: sale C1 66.00 pin right lost-reply       -> --                # approved, but nobody here knows
T1: sale C1 66.00 pin right                  -> 00 reversed=00    # reversed first, then paid once
T1: void                                     -> 00
