"""The one exception that is meant for a person."""


class Pg2Error(Exception):
    """What is wrong with which file or setting, and what to do about it, in one sentence.

    The command line prints it without a traceback and exits with code 2.
    """
