"""A network and its channel groups as tables and charts; and the console of all commands."""
