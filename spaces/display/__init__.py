"""A network and its channel groups as tables and charts."""
