"""Let another machine push into the registry: its own loopback leads here, through ssh."""

from localreg.cli.help_page import examples

EXAMPLES = examples(
    "localreg tunnel open ci@build.example.com", "localreg tunnel ls", "localreg tunnel close build.example.com"
)
