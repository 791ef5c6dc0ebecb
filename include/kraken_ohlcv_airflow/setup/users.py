"""Give the users of Airflow's web server the passwords of the environment.

Airflow's simple auth manager reads passwords from a file; those it does not find it makes up and prints to
its log. Deployments run ``kraken-ohlcv set-up users`` before ``airflow api-server``, so that
secrets have one source.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from airflow.configuration import conf

from kraken_ohlcv.core.errors import SetUpError

PASSWORD_PREFIX: Final = "AIRFLOW_PASSWORD_"  # noqa: S105 (a variable's name)
SHORTEST_PASSWORD: Final = 12


def passwords(users: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return each user's password.

    :param users: ``name:role``, as Airflow's configuration lists them
    :param environment: ``AIRFLOW_PASSWORD_<NAME>`` holds a user's password
    :return: password by name
    :raises SetUpError: if one is absent or shorter than 12 characters; names the variable
    """
    found = {}
    for name in (user.partition(":")[0].strip() for user in users):
        variable = f"{PASSWORD_PREFIX}{name.upper()}"
        password = environment.get(variable, "")
        if len(password) < SHORTEST_PASSWORD:
            raise SetUpError(f"{variable} must hold a password of at least {SHORTEST_PASSWORD} characters")
        found[name] = password
    return found


def write_passwords(file: Path, by_name: Mapping[str, str]) -> None:
    """Write the file that Airflow reads; only its owner can read it.

    :param file: replaced when it is there
    :param by_name: password by user name
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(json.dumps(by_name) + "\n")


def main() -> None:
    """Write the passwords file of the configured users.

    :raises SystemExit: if a password is missing or too short
    """
    try:
        by_name = passwords(conf.getlist("core", "simple_auth_manager_users"), os.environ)
    except SetUpError as error:
        raise SystemExit(f"Set-up failed: {error}") from None
    write_passwords(Path(conf.get_mandatory_value("core", "simple_auth_manager_passwords_file")), by_name)


if __name__ == "__main__":
    main()
