"""What lets a generator run under another interpreter, with libraries that this environment could not hold.

`bootstrap` and `probe` are started there as scripts. They need nothing but a Python of 3.9 or later; pydantic and pluggy,
which the contracts are written with, are stood in for where that environment has none. numpy and pandas are what the
contracts hand out, so they must be there, in any version.
"""
