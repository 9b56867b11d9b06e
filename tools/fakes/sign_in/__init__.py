"""Stand-ins of QQ's and WeChat's sign-in: graph.qq.com, api.q.qq.com and api.weixin.qq.com, and the person there."""
