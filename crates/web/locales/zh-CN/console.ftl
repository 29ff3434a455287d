# 每页的框架，以及多页共用的词。

lang-own-name = 中文
skip = 跳到正文
sandbox = 沙箱
sandbox-sentence = 测试密钥和虚构的卡，不会动用真实资金。

nav = 主导航
nav-menu = 菜单
nav-operate = 运行
nav-records = 对象
nav-reference = 参考
nav-overview = 总览
nav-transactions = 交易
nav-incidents = 事件
nav-register = 事件台账
nav-rules = 风险规则
nav-cards = 卡与密码
nav-terminals = 终端
nav-codes = 应答码
nav-docs = API
nav-about = 关于本机

search = 搜索交易
search-hint = 卡尾号 / RRN / 终端 / 商户
show = 查看
close = 关闭
more = 更多
paging = 列表翻页
filters = 筛选
as-table = 以表格查看

theme = 配色
theme-system = 自动
theme-light = 浅色
theme-dark = 深色

help-open = 键盘快捷键
help-title = 键盘快捷键
key-search = 转到搜索框
key-overview = 总览
key-transactions = 交易
key-incidents = 事件
key-cards = 卡与密码
key-move = 下一行、上一行
key-open = 打开所在行
key-copy = 复制本页链接
key-help = 显示此帮助
keys-are-on = 单键快捷键已启用；正在输入时不起作用。
keys-are-off = 单键快捷键已停用。
keys-turn-off = 停用快捷键
keys-turn-on = 启用快捷键

time-now = 刚刚
time-ago = { $span }前
time-in = { $span }后
span-days = { $b ->
    [0] { $a } 天
   *[other] { $a } 天 { $b } 小时
}
span-hours = { $b ->
    [0] { $a } 小时
   *[other] { $a } 小时 { $b } 分钟
}
span-minutes = { $a } 分钟
span-seconds = { $a } 秒

# 类别：该由谁处理。
family-ok = 已批准
family-warn = 持卡人可自行处理
family-lock = 已锁定
family-sys = 系统与网络
family-bad = 风控与安全
family-neutral = 资金与限额

# 列名。
col-time = 时间
col-card = 卡号
col-merchant-terminal = 商户 · 终端
col-amount = 金额
col-code = 应答码
col-verdict = 判定
col-cause = 原因
col-onset = 首个迹象
col-confidence = 可信度
col-cards = 卡数
col-refused = 被拒
col-status = 状态
col-locked = 锁定
col-restored = 次数
col-tries-cost = 计次
col-sessions = 用卡次数
col-wrong = 输错
col-rate = 比率
col-entries = 输入次数
col-lasted = 时长
col-alert = 告警
col-object = 对象
col-when = 时间
col-for = 对谁
col-do = 做什么
col-kind = 类型
col-terminal = 终端
col-merchant = 商户
col-field = 域
col-name = 名称
col-value = 值
col-offset = 字节
col-tries = 密码次数
col-standing = 状态
col-product = 产品
col-balance = 余额
col-last-used = 最近使用
col-session = 会话
col-since = 签到时间
col-check-values = 密钥校验值
col-batch = 批次
col-last-seen = 最近联机
col-meaning = 含义
col-class = 类
col-counter = 密码错误计数
col-action = 处置
col-check = 检查项
col-health = 结果
col-detail = 说明

# 密码状态。
tries-left-of = 剩余 { $left } 次，共 { $limit } 次
tries-left = { $left ->
    [0] 次数用尽
   *[other] 剩余 { $left } 次
}
locked = 已锁定
locked-until = 锁定至 { $at }（{ $relative }）。
locked-until-past = 已于 { $at } 自动解锁。
locked-until-staff = 锁定，须由银行工作人员解锁
opens = { $relative }自动解锁
opens-by-staff = 只能由工作人员解锁
step-up-required = 需要二次核验
restricted = 受限
free = 可正常支付
block-lost = 已挂失
block-stolen = 被盗卡
block-staff = 工作人员止付
block-rule = 风险规则止付

# 交易类型及其他记录。
kind-balance = 余额查询
kind-sale = 消费
kind-sale-void = 消费撤销
kind-refund = 退货
kind-pre-auth = 预授权
kind-pre-auth-void = 预授权撤销
kind-completion = 预授权完成
kind-completion-void = 预授权完成撤销
kind-cash = 取现
kind-pin-change = 修改密码
kind-reversal = 冲正
kind-sign-in = 签到
kind-sign-out = 签退
kind-settlement = 结算
kind-refused = 被拒报文
kind-unlock = 工作人员解锁
kind-block = 工作人员止付
kind-block-lost = 挂失止付
kind-block-stolen = 被盗止付
kind-unblock = 解除止付
kind-pass-step-up = 二次核验通过
kind-unrestrict = 解除限制
kind-answer-step-up = 持卡人的答复
kind-restore-tries = 故障后退还密码次数
kind-suspended = 终端停用
kind-resumed = 终端恢复
kind-sign-in-ordered = 已令终端重新签到
kind-keys-staged = 新密钥待启用
kind-keys-unstaged = 新密钥已撤回
kind-keys-adopted = 启用新密钥
kind-keys-fell-back = 退回旧密钥
kind-keys-retired = 旧密钥作废
kind-noted = 已记录的报文
kind-upstream-given-up = 放弃等待发卡行
kind-upstream-reversal = 发往发卡行的冲正
kind-upstream-reversed = 发卡行已确认冲正
kind-upstream-late-reply = 发卡行迟到的应答

# 空列表。
no-transactions = 还没有交易
no-transactions-words = 消费、冲正和拒绝一经处理就显示在这里。要演示输错三次密码后卡被锁定，请运行：
no-match = 没有符合条件的记录
no-match-words = 请试试卡号后四位、终端号，或减少筛选条件。
