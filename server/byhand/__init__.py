"""Playing without writing a program: a person at a terminal (``worldline play``), or a model that has only a shell
(``worldline act``). Both are clients like any other, and see what any player sees.
"""
