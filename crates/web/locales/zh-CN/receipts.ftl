# 签购单：查看、打印，以及按单据上的内容查找。

receipt-link = 签购单
receipt-title = 签购单
receipt-preview = 单据
receipt-choices = 打印
receipt-paper = 纸宽
receipt-copy = 联次
receipt-mark = 标记
receipt-merchant = 商户存根
receipt-cardholder = 持卡人存根
receipt-first = 无
receipt-again = 重打印
receipt-print = 打开并打印
receipt-form-png = 图片
receipt-form-escpos = 打印机指令
receipt-form-text = 纯文本
filter-voucher = 凭证号 { $value }
filter-batch = 批次 { $value }
filter-amount = 金额 { $value }
