"""Every row of the table ``payments`` and what it means. Nobody else knows one."""
