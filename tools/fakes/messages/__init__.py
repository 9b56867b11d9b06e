"""Carriers of messages: Tencent SMS, Aliyun SMS and Amazon SES, which sign and refuse as the real ones; and a mailbox
in which a person reads what they took.
"""
