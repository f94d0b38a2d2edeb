"""The running system: supervisor, gateways, shards and the commands that start them."""


def version() -> str:
    """The version of the installed package, for ``--version``, ``welcome`` and the genesis of worlds."""
    from importlib.metadata import version as installed_version  # 20 ms that `--help` need not pay

    return installed_version("worldline")
