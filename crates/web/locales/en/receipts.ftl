# Receipts: the slip of a payment, and looking for what stands on it.

receipt-link = Receipt
receipt-title = Receipt
receipt-preview = The slip
receipt-choices = Print it
receipt-paper = Paper
receipt-copy = Copy
receipt-mark = Mark
receipt-merchant = merchant's
receipt-cardholder = cardholder's
receipt-first = none
receipt-again = reprint
receipt-print = Open for printing
receipt-form-png = Picture
receipt-form-escpos = Printer's bytes
receipt-form-text = Plain text
filter-voucher = voucher { $value }
filter-batch = batch { $value }
filter-amount = amount { $value }
