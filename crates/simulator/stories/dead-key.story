# Terminal T0000075 has a dead key 7. The cardholder types the right PIN every time; what arrives is another one. The card
# has done nothing wrong, and the terminal next to it proves that.
title en A dead key looks like a forgotten PIN
title zh 按键失灵看起来像忘记密码
terminal BAD id T0000075
terminal GOOD
card C1 product debit-standard pin-has 7

BAD: sign-in                                 -> 00
GOOD: sign-in                                -> 00
BAD: sale C1 99.00 pin right                 -> 55
BAD: sale C1 99.00 pin right                 -> 55
GOOD: sale C1 99.00 pin right                -> 00
GOOD: void                                   -> 00
