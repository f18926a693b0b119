"""The life of one trial: the parameters that are searched, its evaluation, and early stopping.

To add a stopping rule: a subclass of `stopping.StoppingRule`, a line in `stopping_rules.py`, its name in
`search/study/choices.py` and in docs/studies.md, and a test that subclasses `RuleContract`.
"""
