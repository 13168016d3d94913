"""The data sets as their owners release them: one file each."""
