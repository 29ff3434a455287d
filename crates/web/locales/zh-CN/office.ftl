# 登录、双人复核、审计日志。

nav-office = 内控
nav-proposals = 待复核
nav-audit = 审计
nav-staff = 员工
nav-account = 账户

sign-in-title = 登录
sign-in-username = 用户名
sign-in-password = 密码
sign-in-totp = 验证器应用中的验证码
sign-in-do = 登录
sign-in-wrong = 未能登录。用户名、密码或验证码有误，验证码已用过，或尝试过多需稍候。
sign-out = 退出登录
sandbox-staff = 本沙箱的员工
sandbox-staff-words = 虚构的人员，密码人人可读，同时写在 sandbox.json 里。

set-up-title = 启用账户
set-up-for = 启用 { $name } 的账户
set-up-password = 新密码，至少 12 个字符
set-up-again = 再输一次
set-up-app = 把这串密钥录入验证器应用（按时间、六位数字）：
set-up-open-app = 在本机的应用中打开
set-up-totp = 应用显示的验证码
set-up-do = 启用
set-up-differ = 两次输入的密码不一致。
set-up-wrong-code = 验证码有误。请确认应用录入的是上面的密钥，且时钟准确。
set-up-weak-short = 密码少于 12 个字符。
set-up-weak-long = 密码超过 128 个字符。
set-up-weak-common = 密码由人人先猜的词构成。
set-up-weak-name = 密码由用户名构成。
set-up-weak-monotonous = 密码中不同的字符少于五个。

account-title = 账户
account-console = 当前无人登录。能在本机打开控制台的人，可以做一个人就能做的事；但谁也不能做自己的复核人。
account-may = 您可以做或申请的事
needs-second = 需第二人复核

role-cashier = 收银员
role-merchant = 商户
role-agent = 坐席
role-supervisor = 主管
role-risk-analyst = 风险分析员
role-estate-engineer = 终端工程师
role-key-custodian = 密钥保管人
role-auditor = 审计员
role-administrator = 管理员

col-role = 角色
col-username = 用户名
col-password = 密码
col-totp-now = 当前验证码
col-signed-in = 最近登录
col-state = 状态
col-number = 序号
col-who = 何人
col-outcome = 结果

proposals-title = 待第二人复核
proposals-lead = 有些操作需要两个人。复核者必须是另一个人、另一次登录、另一台设备，并且批准的正是这里写明的内容。
proposals-none = 没有待复核的操作
proposals-none-words = 有人申请重置密码、恢复次数或解除封锁时，会在这里等待另一个人决定。
proposal-why = 原因：{ $why }
proposal-by = 申请人：{ $name }
proposal-done = 批准人：{ $name }。
proposal-declined = { $name } 已驳回：
proposal-approve = 批准并执行
proposal-decline = 驳回
proposal-withdraw = 撤回
proposal-sign-in = 登录后决定
proposal-open = 等待中
proposal-expired = 已过期
proposal-approved = 已批准
proposal-turned-down = 已驳回
proposal-withdrawn = 已撤回
proposal-carried-out = 已执行
why-label = 原因

audit-title = 审计日志
audit-lead = 谁做了或看了什么，最新的在前。每条记录都是一棵树（RFC 6962）的叶子，树根有签名：改动、抽走或挪动任何一条都会被发现。
audit-action = 操作
audit-object = 对象
audit-none = 尚无记录
audit-none-words = 第一次登录或第一项操作就是第一条记录。
audit-export = 导出（带签名）
audit-key = 用于验证导出文件的公钥：
outcome-done = 已完成
outcome-refused = 被拒绝
outcome-failed = 失败

staff-title = 员工
staff-none = 还没有任何账户
staff-none-words = 在此之前，凡能在本机打开控制台的人都可使用。
staff-closed = 已停用
staff-not-set-up = 未启用
staff-waits = 猜错过多，稍候
staff-open = 正常

card-actions = 可做的操作
card-action-unlock = 解锁：恢复全部次数
card-action-block = 封锁卡片
card-action-unblock = 解除封锁
card-action-unrestrict = 解除限制
card-action-nothing = 没有可解除的项目。
card-holder = 持卡人
card-holder-words = 重置后原密码作废，并给持卡人发一次性链接；这里没有人看到或设置密码。卡片页面告诉持卡人卡的状态、原因和该怎么做。
card-reset-pin = 重置密码
card-send-page = 发送卡片页面
pin-reset-pending = 密码已重置，待设新密码
