"""Let another machine push to the registry over ssh.

Pushes to localhost:5000 on the other machine arrive in the registry on this one.
"""

from localreg.cli.help_page import examples

EXAMPLES = examples(
    "localreg tunnel open ci@build.example.com", "localreg tunnel ls", "localreg tunnel close build.example.com"
)
