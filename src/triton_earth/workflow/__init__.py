"""The verbs: every command of the command line is one function here, with the same name and arguments."""
