"""InstaFlow Studio: open the page on the models at hand.

    python app.py                      # http://127.0.0.1:7860
    python app.py --port 7861 --models ~/my-models
    python app.py generate "a lake at night"      # as python -m rf_app does it, without the page

Installed as a package, it is the command `instaflow-studio`. Also the entry of a Hugging Face Space, which
sets host and port by GRADIO_SERVER_NAME and GRADIO_SERVER_PORT; INSTAFLOW_AUTH (a secret of the Space) and
INSTAFLOW_ALLOW_TRAINING=1 let its owner train there.
"""

import argparse
import gc
import os
import resource
import runpy
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from rf_app.settings.engine import ENGINES, VARIABLE, on_zero_gpu

OPEN_FILES = 4096  # at a time, connections among them: of a page there are some


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="InstaFlow Studio: one-step text-to-image in the browser.")
    parser.add_argument("--host", help="address to listen on (default: this computer only)")
    parser.add_argument(
        "--allowed-host",
        metavar="NAME",
        action="append",
        default=[],
        help="one more name that browsers reach this page by, as behind a proxy; may be given several times",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=os.environ.get("GRADIO_SERVER_PORT") or None,
        help="port (default: the first free one from 7860)",
    )
    parser.add_argument("--models", type=Path, help="one more folder of models; new ones go into it")
    parser.add_argument(
        "--auth",
        metavar="NAME:PASSWORD",
        default=os.environ.get("INSTAFLOW_AUTH"),
        help="let in only who knows these (default: $INSTAFLOW_AUTH, which keeps them off the command line)",
    )
    parser.add_argument(
        "--allow-training",
        action="store_true",
        default=os.environ.get("INSTAFLOW_ALLOW_TRAINING") == "1",
        help="let whoever reaches the page train, import and delete; on a public Space it needs --auth",
    )
    parser.add_argument(
        "--safety-checker",
        action=argparse.BooleanOptionalAction,
        default=(os.environ.get("INSTAFLOW_SAFETY_CHECKER") or str(int("SPACE_ID" in os.environ))) != "0",
        help="hold back what a model's own safety checker, where it brings one, does not let through "
        "(default: on a Space only; or as $INSTAFLOW_SAFETY_CHECKER says, 0 or 1)",
    )
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        help="what pictures are computed in (default: what is quick here without being seen; or as "
        f"${VARIABLE} says); float32 is what all machines agree on",
    )
    parser.add_argument("--mcp", action="store_true", help="serve the API's actions as MCP tools, too")
    chosen = parser.parse_args()
    if chosen.engine:
        os.environ[VARIABLE] = chosen.engine  # for the jobs, too
    if chosen.port is not None and not 1 <= chosen.port <= 65535:
        parser.error(f"argument --port: {chosen.port} is not in 1..65535")
    if chosen.auth is not None and not all(chosen.auth.partition(":")):
        parser.error("argument --auth: expected NAME:PASSWORD")
    if chosen.allow_training and "SPACE_ID" in os.environ and chosen.auth is None:
        parser.error("argument --allow-training: on a public Space it needs --auth NAME:PASSWORD")
    if chosen.allow_training and on_zero_gpu():
        parser.error("argument --allow-training: not on ZeroGPU, which lends its GPU for seconds at a time")
    if chosen.mcp and chosen.auth is not None:
        parser.error("argument --mcp: not with --auth (or $INSTAFLOW_AUTH), as MCP's tools cannot log in")
    if chosen.models is not None and not chosen.models.is_dir():
        parser.error(f"argument --models: {chosen.models} is not a folder")
    return chosen


def check_free(host: str, port: int) -> bool:
    """Whether that is an address of this computer alone.

    Ends with a message where nobody can listen there: seconds before Gradio tries. port: 0 for any.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, *_, address = found[0]
        with socket.socket(family) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            tried.bind(address)
    except OSError as error:
        raise SystemExit(
            f"Cannot listen on {host}, port {port or 'any'} ({error.strerror}): give another --host or "
            "--port; without --port it is the first free one from 7860."
        ) from None
    # A name may have several addresses: the server listens on all of them.
    return all(ip_address(address[0]).is_loopback for *_, address in found)


def own_folder(temporary: Path) -> Path:
    """Where Gradio keeps what the page shows, which is cleared away: no other program's files lie there.

    Ends with a message where somebody else has put a folder or a link in its place: all may write beside it.
    """
    folder = temporary / f"instaflow-{os.getuid()}"
    with suppress(OSError):  # a full disk is named later
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.is_symlink() or (folder.exists() and folder.stat().st_uid != os.getuid()):
        raise SystemExit(f"{folder} is not yours: remove it, or set GRADIO_TEMP_DIR to another folder.")
    return folder


def allow_open_files() -> None:
    """256 on macOS and 1024 on Linux are the visitors' connections soon: then nobody else gets in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def stop(number: int, _: object) -> None:
    """End at once: a KeyboardInterrupt could come up in an import or in a library's C++, and kill that."""
    with suppress(OSError):  # nobody reads it any more
        os.write(1, b"\nStopped.\n")
    os._exit(130 if number == signal.SIGINT else 0)


def main() -> None:
    """Start the page and stay until it is stopped; or do without it what the first word says."""
    if sys.argv[1:] and not sys.argv[1].startswith("-"):
        runpy.run_module("rf_app", run_name="__main__", alter_sys=True)
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as in the background of a script
        signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)  # a container's first process would not hear it
    allow_open_files()
    sys.stdout.reconfigure(errors="backslashreplace")  # as stderr has it: terminals may lack letters
    chosen = options()
    host = chosen.host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"  # empty is unset
    local = check_free(host, chosen.port or 0)
    print("InstaFlow Studio is starting…", flush=True)
    gc.disable()  # a fifth of the start: it looks again and again through what the imports keep
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    folder = own_folder(Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()))
    os.environ["GRADIO_TEMP_DIR"] = tempfile.tempdir = str(folder)  # swept: a killed process leaves its own
    os.environ.setdefault("DIFFUSERS_DISABLE_REMOTE_CODE", "1")
    # Or whoever asks from this computer has any address they say they ask for, and so any number of tries.
    os.environ.setdefault("FORWARDED_ALLOW_IPS", "")

    from rf_app.errors import UserError
    from rf_app.settings.home import home

    try:
        home()  # a user without one hears of it before what takes seconds
    except UserError as error:
        raise SystemExit(str(error)) from None

    # PyTorch and Gradio take seconds to import: not before the words above.
    from rf_app.actions.application import Application
    from rf_app.actions.examples import FOLDER
    from rf_app.registry.card import capital
    from rf_app.registry.disk import disk_full_named
    from rf_app.registry.models import Registry
    from rf_app.ui.files import keep_swept
    from rf_app.ui.page import build, launch_options
    from rf_app.ui.train.uploads import pictures_in_use

    try:
        registry = Registry.default(chosen.models)
        app = Application.on(
            registry,
            allow_training=chosen.allow_training,
            open_to_strangers=not local and chosen.auth is None,
            safety_checker=chosen.safety_checker,
        )
        app.warm_up()  # beside what comes
        with disk_full_named(folder):  # where Gradio puts what the page shows
            page = build(app, FOLDER)
    except UserError as error:
        raise SystemExit(str(error)) from None
    gc.freeze()  # it stays to the end
    gc.enable()
    for store in app.stores:
        for id, problem in store.problems().items():
            print(f"{capital(store.CARD.NAME)} {id} is left out: {problem}")
    if app.permission.open_to_strangers:
        others = (
            "train, import and delete, too" if app.permission else "training, importing and deleting are off"
        )
        print(f"Whoever reaches {host} may draw; {others} (see --auth and --allow-training).")
    keep_swept({folder: set, app.jobs.pictures: lambda: pictures_in_use(app.jobs)})
    page.launch(
        server_name=host,
        server_port=chosen.port,
        mcp_server=chosen.mcp,
        auth=tuple(chosen.auth.split(":", 1)) if chosen.auth else None,
        **launch_options([host, *chosen.allowed_host], app.permission),
    )


if __name__ == "__main__":
    main()
