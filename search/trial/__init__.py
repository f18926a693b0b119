"""The life of one trial: what is searched, its evaluation, and the rules that stop it early."""
