"""The life of one trial: what is searched, its evaluation, and the rules that stop it early.

To add a stopping rule: a subclass of `stopping.Rule`, its name in `RULES`, and a line in `rule_named`.
"""
