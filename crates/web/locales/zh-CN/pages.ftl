# 各页自己的词。

# 总览。
overview-title = 总览
window = 时间窗口
window-15m = 最近 15 分钟
window-1h = 最近 1 小时
window-6h = 最近 6 小时
window-24h = 最近 24 小时
tile-rate = 每秒交易
tile-approved = 批准率
tile-55 = 55 密码错误
tile-75 = 75 次数超限
tile-p99 = p99
tile-terminals = 活跃终端
tile-peak = 峰值 { $peak }
tile-before = 上期 { $before }
tile-change = 较上期 { $change }
tile-nothing-before = 无可比数据
tile-registered = 共登记 { $count } 台
declines-per-minute = 每分钟拒绝笔数，按归属
declines-per-slot = 每 { $span }拒绝笔数，按归属
declines-none = 本时段没有拒绝。
declines-finding = { $count ->
   *[other] 本时段拒绝 { $total } 笔
}，最多的是“{ $family }”（{ $most } 笔）。{ $at } 前后最集中，有 { $worst } 笔。
attention-title = 需要处理
attention-none = 暂无需要处理的事项
attention-none-words = 密码错误聚集、卡被锁定、密钥不同步和报文错误会出现在这里。
attention-wrong-pins-at-terminal = 同一终端密码错误 { $count } 次
attention-wrong-pins-on-card = 同一张卡密码错误 { $count } 次
attention-card-locked = 卡已锁定
attention-keys-out-of-step = { $count ->
    [1] 密钥不同步
   *[other] 密钥不同步 { $count } 次
}
attention-mac-failures = MAC 错误 { $count } 次
attention-format-errors = 报文错误 { $count } 次
last-declines = 最近拒绝
all-declines = 全部拒绝
no-declines = 没有拒绝

# 交易。
transactions-title = 交易
filter-code = 应答码
filter-family = 归属
filter-any = 全部
filter-declined = 只看拒绝
filter-clear = 全部清除
filter-remove = 移除此筛选
filter-card = 卡 { $value }…
filter-terminal = 终端 { $value }
filter-from = 自 { $value }
filter-to = 至 { $value }
new-rows = { "{n}" } 笔新交易
rows-shown = 本页 { $count } 行
newest = 最新
older = 更早

# 交易详情。
why-declined = 为什么是 { $code }？
why-approved = { $kind }，已批准
copy-link = 复制链接
link-copied = 链接已复制
verdict = 判定
try-charged = 计一次密码错误。
opens-by-itself = { $relative }自动解锁。
try-not-charged = 不计密码错误次数。
timeline-card = 同一张卡的前后记录
timeline-terminal = 同一终端的前后记录
this-one = 本笔
no-try-charged = 未扣次数
pin-state = 密码状态
pin-after-this = 本笔之后
pin-now = 现在
pin-no-card = 未涉及任何卡，没有密码状态。
pin-evidence = 加密机的验证结论
pin-not-asked = 未要求验证。
pin-verified = 密码正确。
pin-mismatch = 密码错误。
pin-unverifiable = 无法验证：这是故障，不是密码错误。
pin-discarded = 已验证，但另一决定先到，结论作废。
with-cause = { $words }（{ $cause }）
todo = 如何处置
particulars = 交易要素
fact-stan = 流水号
fact-batch = 批次号
fact-approval = 授权码
fact-reason = 原因
fact-took = 耗时
fact-journal = 日志序号
fact-original = 原交易
fact-followed-by = 后续交易
effects = 变更内容
effects-none = 没有变更：资金和密码次数都未动。
effect-count-try = 自上次密码正确以来的错误次数：{ $used }
effect-reset-tries = 密码次数全部恢复
effect-lock = 卡锁定至 { $until }
effect-lock-staff = 卡锁定，须由工作人员解锁
effect-unlock-time = 锁定到期，自动解锁
effect-unlock-staff = 银行工作人员解锁
effect-require-step-up = 下次须先通过二次核验
effect-step-up-passed = 二次核验通过，有效至 { $until }
effect-restrict = { $until } 之前拒绝超过 { $max } 的交易
effect-unrestrict = 解除限制
effect-post = 余额变动 { $delta }
effect-hold = 冻结金额变动 { $delta }
effect-remember = 已留存，重复请求将得到相同应答
effect-mark = 原交易状态变为：{ $status }
effect-block = 卡止付：{ $block }
effect-unblock = 解除止付
effect-desk = 操作人 { $actor }：{ $why }
effect-sign-in = 签到，批次 { $batch }，启用新密钥，校验值 { $values }
effect-sign-out = 签退，终端密钥作废
effect-settle = 批次 { $batch } 已结算，总计相符
effect-settle-unbalanced = 批次 { $batch } 已结算，总计不符
effect-refused = 未涉及任何卡即拒绝：资金和密码次数都未动
effect-bury = 冲正先到：原交易若再到达将被拒绝
effect-noted = 仅作记录
effect-suspend = 工作人员停用终端
effect-resume = 工作人员恢复终端
status-approved = 有效
status-declined = 已拒绝
status-reversed = 已冲正
status-voided = 已撤销
status-completed = 已完成
status-lapsed = 已失效
message-request = 请求报文
message-reply = 应答报文
message-not-kept = 该报文未留存。
message-unreadable = 该报文不属于任何已知方言，无法解析。

# 卡。
cards-title = 卡与密码
filter-pan = 卡号
filter-locked = 只看锁定
first-part = 第一页
no-cards = 还没有卡
no-cards-words = 登记的卡及其密码次数、锁定状态显示在这里。要登记虚构的卡，请运行：
card-title = 卡的密码状态
product-unknown = 产品“{ $product }”在本机没有策略，无法得知次数上限。
lock-since = 锁定时间
lock-until = 解锁时间
locks-in-a-row = 连续锁定次数
step-up = 二次核验
step-up-wanted = 通过之前不再验证密码
step-up-passed = 已通过，有效至 { $until }
restriction = 限制
restriction-words = { $until } 之前每笔不超过 { $max }
restriction-no-cash = { $until } 之前每笔不超过 { $max }，不可取现
block = 止付
account = 账户
expiry = 有效期
held = 预授权冻结
available = 可用余额
card-id = 标识
ladder-title = 输错密码的后果：{ $product }
ladder-nth = 第 { $n } 次输错
ladder-refused = 应答 55 拒绝，剩余 { $left } 次。
ladder-step-up = 下次须先通过二次核验，通过后 { $span }内有效。
ladder-restrict = { $hours } 小时内拒绝超过 { $max } 的交易。
ladder-restrict-no-cash = { $hours } 小时内拒绝超过 { $max } 的交易和一切取现。
ladder-lock = 应答 { $code } 拒绝并锁定：{ $release }。
ladder-lock-nth = 连续第 { $n } 次锁定，应答 { $code }：{ $release }。
ladder-lock-nth-on = 连续第 { $n } 次及以后的锁定，应答 { $code }：{ $release }。
ladder-here = 该卡在这一级。
ladder-never = 超时、丢失或重复的报文、密钥或格式故障都不会让卡在阶梯上前进；密码正确即回到起点；限制则持续到规定的时间结束。
release-after = { $hours } 小时后自动解锁
release-next-day = { $zone } 次日零点解锁
release-by-staff = 只能由银行工作人员解锁
recent-attempts = 最近的交易
all-attempts = 该卡全部交易
no-attempts = 从未使用
no-attempts-words = 该卡的支付和拒绝会显示在这里。

# 终端。
terminals-title = 终端
terminal-signed-in = 已签到
terminal-signed-out = 未签到
terminal-suspended = 已停用
no-terminals = 还没有终端
no-terminals-words = 登记的终端及其会话、批次显示在这里。要登记虚构的终端，请运行：
check-values-words = 依次为 PIN 密钥、MAC 密钥和磁道密钥的校验值：两端一致即密钥同步，校验值不会泄露密钥。

# 手册。
codes-title = 应答码
codes-lead = 39 域两位字符的含义、对密码错误计数的影响和处置办法。55 是密码错误，75 是密码次数用尽。
filter-find-code = 应答码或文字
code-explained = 含义
code-facts = 详情
code-prompt = 终端提示
code-cause = 问题所在
code-source = 出处
code-transactions = 应答 { $code } 的交易

# 关于。
about-title = 关于本机
about-host = 主机
about-version = 版本
about-mode = 模式
about-mode-sandbox = 沙箱
about-mode-production = 生产
about-time = 本机时间
about-journal = 日志条数
about-filled = 已入查询表
about-behind = （落后 { $count } 条）
about-hsm = 加密机
about-hsm-words = 密码只在加密机内解密和比对。本控制台从不接触密码明文、PIN 块、密钥和完整卡号。
about-read-only = 本控制台只读。工作人员的操作将随登录功能提供，在此之前只在本机监听。
about-health = 健康状况
about-probes = 供监控使用：
health-ok = 正常
health-bad = 异常

# API。
docs-title = API
docs-lead = 控制台所示的一切都可以 JSON 读取。供程序使用的说明（OpenAPI 3.1）见
docs-parameters = 参数
docs-answers = 应答
docs-try = 试一试
docs-problems = 错误
docs-problems-words = 失败时返回 application/problem+json（RFC 9457），含 type、title、detail、code 和 request_id。程序应依据 code 判断，文字随 Accept-Language 变化。
docs-schemas = 数据结构
