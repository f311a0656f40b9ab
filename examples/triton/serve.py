"""Starts the Triton server of the `nvidia-pytriton` wheel on model repositories, without Docker: CPU, Linux, x86-64.

Run it with the interpreter of an environment that `requirements.txt` was installed into; models run in it as well.
"""

from __future__ import annotations

import argparse
import os
import sys
import sysconfig
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="+", type=Path, metavar="MODEL_REPOSITORY")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--grpc-port", type=int, default=8001)
    parser.add_argument("--http-port", type=int, default=8000)
    parser.add_argument("more", nargs="*", help="after --: further arguments for tritonserver")
    arguments, more = _split(sys.argv[1:])
    given = parser.parse_args(arguments)
    bundle = _bundle()
    backends = _backends(bundle, Path(sys.prefix) / "triton-backends")
    command = [
        str(bundle / "bin" / "tritonserver"),
        *(f"--model-repository={repository.resolve()}" for repository in given.repositories),
        f"--backend-directory={backends}",
        f"--grpc-address={given.host}",
        f"--grpc-port={given.grpc_port}",
        f"--http-address={given.host}",
        f"--http-port={given.http_port}",
        "--allow-metrics=false",
        "--disable-auto-complete-config",
        *more,
    ]
    os.execve(command[0], command, _environment(bundle))


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Arguments of this script, and those after `--`."""
    if "--" not in arguments:
        return arguments, []
    cut = arguments.index("--")
    return arguments[:cut], arguments[cut + 1 :]


def _bundle() -> Path:
    """The folder of the server in the wheel."""
    found = find_spec("pytriton")
    if found is None or found.origin is None:
        sys.exit(f"{sys.executable} has no pytriton: pip install -r {Path(__file__).with_name('requirements.txt')}")
    return Path(found.origin).parent / "tritonserver"


def _backends(bundle: Path, folder: Path) -> Path:
    """Links the Python backend and the stub of this Python version into one folder; the wheel separates them."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = bundle / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.is_file():
        known = ", ".join(sorted(path.name for path in stub.parents[1].iterdir()))
        sys.exit(f"the wheel serves models of Python {known}, and this is {version}: make the environment with another")
    python = folder / "python"
    python.mkdir(parents=True, exist_ok=True)
    for path in (*(bundle / "backends" / "python").iterdir(), stub):
        if path.is_file():
            with suppress(FileExistsError):
                (python / path.name).symlink_to(path)
    return folder


def _environment(bundle: Path) -> dict[str, str]:
    """Paths to the library of the interpreter, which the stub loads, and to `python`, which it starts."""
    libraries = [sysconfig.get_config_var("LIBDIR"), str(bundle.parents[1] / "nvidia_pytriton.libs")]
    search = [*filter(None, libraries), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    return {
        **os.environ,
        "LD_LIBRARY_PATH": os.pathsep.join(search),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }


if __name__ == "__main__":
    main()
