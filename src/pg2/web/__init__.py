"""What both web applications stand on: sockets, limits, headers, errors and logs. Needs pg2[serve]."""

from importlib.util import find_spec

from pg2.errors import Pg2Error

_PACKAGES = ("fastapi", "python_multipart", "prometheus_client", "uvicorn")


def check_packages() -> None:
    """Say so if no web application can run here.

    Raises:
        Pg2Error: packages of pg2[serve] are missing.
    """
    absent = [package for package in _PACKAGES if find_spec(package) is None]
    if absent:
        raise Pg2Error(f'serving needs {" and ".join(absent)}; install it with: pip install "pg2[serve]"')
