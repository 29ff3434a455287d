# Two wrong PINs are an inconvenience, the third locks the card, and then the right PIN does not help either.
# 75 = allowable PIN tries exceeded. The fourth line is the point: the host answers without looking at the PIN.
title en Three wrong PINs lock the card
title zh 三次密码错误，卡被锁定
terminal T1
card C1 product debit-standard

T1: sign-in                           -> 00
T1: sale C1 1280.00 pin wrong         -> 55
T1: sale C1 1280.00 pin wrong         -> 55
T1: sale C1 1280.00 pin wrong         -> 75     # 75 comes with the try that uses up the last one
T1: sale C1 1280.00 pin right         -> 75     # the right PIN does not unlock
