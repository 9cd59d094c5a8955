"""Secrets in the URLs of databases: put in where they belong, kept out of every message."""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from invopt.errors import ConfigError

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_HIDDEN = "***"
_SHORT = 4  # characters below which a secret is hidden as a whole word only


def database_url(source: str, url: str, variables: Mapping[str, str]) -> str:
    """Return a database's URL with its ${NAME} replaced.

    A variable is the whole URL, or stands for user or password: there it is quoted, so that it may
    hold any sign. Anywhere else it could send a secret away, and is refused.

    Args:
        source: Name of the source, for messages.
        url: As the mapping gives it.
        variables: By name.

    Raises:
        ConfigError: If a variable is not set or stands elsewhere, or a password holds an @.
    """
    names = _VARIABLE.findall(url)
    missing = [name for name in names if name not in variables]
    if missing:
        raise ConfigError(f"sources.{source}.url names {missing[0]!r}, which is not set.")
    if _VARIABLE.fullmatch(url):
        return variables[names[0]]
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    login, at, place = authority.rpartition("@")
    if _VARIABLE.search(scheme + place + path):
        raise ConfigError(
            f"sources.{source}.url: ${{NAME}} is for secrets: write it for user or password "
            "(dialect://${USER}:${PASSWORD}@host/database), or for the whole url."
        )
    if "@" in login:
        raise ConfigError(
            f"sources.{source}.url: the password holds an @, where a URL ends it: write %40 for "
            "it, or put the password into the environment and ${NAME} here."
        )
    filled = _VARIABLE.sub(lambda found: quote(variables[found[1]], safe=""), login)
    return f"{scheme}://{filled}{at}{place}{slash}{path}"


def without_secrets(text: str, url: str, written: str, variables: Mapping[str, str]) -> str:
    """Return a message without the passwords that its URL holds, nor their parts.

    Args:
        text: The message.
        url: As it was opened.
        written: As the mapping gives it.
        variables: By name.
    """
    login = url.partition("://")[2].rpartition("@")[0]
    secrets = {variables.get(name, "") for name in _VARIABLE.findall(written)} - {url}
    secrets.add(login.partition(":")[2])
    secrets |= {unquote(secret) for secret in secrets}
    # Of p@ss, a URL that is read at its first @ takes "ss" for the host.
    secrets |= {part for secret in set(secrets) for part in re.split(r"[@:/]", secret)[1:]}
    secrets.add(url)
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        sign = re.escape(secret)
        pattern = sign if len(secret) >= _SHORT else rf"(?<!\w){sign}(?!\w)"
        text = re.sub(pattern, _HIDDEN, text)
    return text
