"""Where the services of a mode are, and how to log in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.questdb import USER as QUESTDB_USER
from local.settings import USERS

if TYPE_CHECKING:
    from local.stack import Stack


def print_addresses(stack: Stack) -> None:
    """Print where to look and how to log in."""
    passwords = stack.home.secrets().passwords
    logins = ", ".join(f"{user} / {passwords[user]}" for user in USERS)
    print(f"  Airflow   {stack.airflow_url}   log in as {logins}")
    print(f"  Exchange  {stack.exchange_url}")
    if stack.slack_url is not None:
        print(f"  Slack     {stack.slack_url}   (stand-in)")
    password = stack.home.secrets().questdb_password
    print(f"  QuestDB   {stack.questdb_url}   log in as {QUESTDB_USER} / {password}")
    print(f"  Logs      {stack.home.logs}")
    print("  Stop with `make down`.", flush=True)
