"""How the table of cut variants is drawn and trained."""
