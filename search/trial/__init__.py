"""The life of one trial: what is searched, its evaluation, and the rules that stop it early.

To add a stopping rule: a subclass of `stopping.StoppingRule`, a line in `stopping_rules.py`, its name in
`search/study/choices.py`, and a test that subclasses `RuleContract`.
"""
