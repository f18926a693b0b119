"""For `search.bench` and `search.widths`: networks outside a study, and packs for another machine."""
