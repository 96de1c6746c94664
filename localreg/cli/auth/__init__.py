"""Manage the users of a registry that requires a login.

`localreg up --auth` starts one. Changes count at once; the registry is not restarted.
"""

from localreg.cli.help_page import examples

EXAMPLES = examples("localreg auth add ci", "localreg auth ls", "localreg auth rm ci")
