# 失败：标题和处置。

error-not-found = 未找到
error-not-found-detail = 这个地址没有内容。参考号早于留存期限，或卡、应答码未登记，也会到这里。
error-misdirected = 主机名不符
error-misdirected-detail = 本控制台只以 127.0.0.1、[::1] 或 localhost 应答，否则其他网站的页面可借您的浏览器读取它。
error-cross-site = 来自其他网站
error-cross-site-detail = 其他网站的页面试图借您的浏览器更改这里的内容。未作任何更改。
error-forbidden = 无权操作
error-forbidden-detail = 您无权进行此操作：{ $what }。未作任何更改。
error-conflict = 情况已变
error-conflict-detail = 未作任何更改：{ $what }。请重新查看后再决定。
error-method-not-allowed = 方法不适用
error-method-not-allowed-detail = 这个地址不支持这种方法，支持的方法见Allow头。
error-not-understood = 查询条件无法理解
error-not-understood-detail = “{ $parameter }”无法理解，应为：{ $expected }。
error-too-many-listeners = 监听者过多
error-too-many-listeners-detail = 实时事件的名额已满。请关闭其他页面，或几秒后再试。
error-store-away = 存储不可用
error-store-away-detail = 存储暂时没有应答，无法显示内容。请几秒后再试；如持续出现，请查看健康状况。
error-timed-out = 用时过长
error-timed-out-detail = 十秒内未得到结果，已放弃。请重试，或缩短时间范围。
error-internal = 系统错误
error-internal-detail = 控制台内部出错。请将下方请求号告知技术人员。
error-no-effect = 没有任何更改：资金和密码次数均不受影响。
error-request = 请求号
error-to-overview = 返回总览
error-to-transactions = 查看交易
