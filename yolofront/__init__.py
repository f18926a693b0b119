"""The command `yolofront`: one name for all commands. It imports a command's module when that command is called."""
