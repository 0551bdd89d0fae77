"""The gallery of the Models tab: search, a shelf of cards, and one of them in full with what can be done."""

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import gradio as gr
from huggingface_hub import create_repo, get_token, upload_folder

from rf_app.errors import Cancelled, UserError
from rf_app.jobs.database import Database
from rf_app.jobs.queue import check_unused
from rf_app.registry.disk import DiskFull, stamp
from rf_app.registry.export import export
from rf_app.registry.permission import Permission
from rf_app.ui.complaint import complain
from rf_app.ui.model_view import full, in_bytes, shelf
from rf_app.ui.turn import LONG_WORK, Turn
from rf_app.workflows.background import Emit, IsCancelled, batches
from rf_app.workflows.generate import Studio
from rf_app.workflows.samples import Samples
from rf_app.workflows.shelf import KIND_TITLES, family, found, size

PAGE = 24  # cards
KINDS = [("All", ""), *((title, kind) for kind, title in KIND_TITLES.items())]


def build(studio: Studio, tab: gr.Tab, opened: gr.Textbox, seen: gr.Textbox, permission: Permission) -> None:
    """Lay the panel out and connect it, inside `tab`.

    opened: the id of the model shown in full; seen: changes with the registry.
    """
    samples = Samples(studio)
    with gr.Column(elem_id="gallery"):
        with gr.Column(elem_id="shelf-side"):
            with gr.Row(elem_classes="wish"):
                search = gr.Textbox(
                    "",
                    label="Search",
                    placeholder="Title, licence, what it was made from…",
                    lines=1,
                    elem_id="models-search",
                )
                kind = gr.Radio(KINDS, value="", label="Kind", elem_id="models-kind")
            cards = gr.HTML("", elem_id="models-shelf")
            more = gr.Button("Show more", size="sm", visible=False, elem_id="models-more")
        with gr.Column(elem_id="model-side"):
            about = gr.HTML("", elem_id="model-full")
            with gr.Row(elem_id="model-rename-row"):
                title = gr.Textbox("", label="Title", lines=1, max_length=80, elem_id="model-title")
                rename = gr.Button("Rename", size="sm", min_width=90, elem_id="model-rename")
            with gr.Row(elem_id="model-acts"):
                draw = gr.Button("Draw a sample", size="sm", min_width=120, elem_id="model-draw")
                pack = gr.Button("Export", size="sm", min_width=90, elem_id="model-export")
                delete = gr.Button("Delete", size="sm", min_width=90, elem_id="model-delete")
            file = gr.DownloadButton("Save", visible=False, size="sm", elem_id="model-file")
            with gr.Column(visible=False, elem_id="model-sure") as sure:
                question = gr.HTML("")
                with gr.Row():
                    yes = gr.Button("Delete for good", variant="stop", size="sm", elem_id="model-yes")
                    no = gr.Button("Keep it", size="sm", elem_id="model-no")
            with gr.Row(visible=bool(get_token()) and bool(permission), elem_id="model-push-row"):
                repo = gr.Textbox("", label="On the Hub as", placeholder="OWNER/NAME", lines=1)
                push = gr.Button("Push", size="sm", min_width=90, elem_id="model-push")
    count, turn, visited = gr.State(PAGE), gr.State(Turn()), gr.State(False)
    private = {"show_progress": "hidden", "api_visibility": "private"}
    newest = {"trigger_mode": "multiple"}  # a new wish ends the drawing of samples for the one before
    wish, view = [turn, search, kind, count, opened, visited], [cards, more, about]
    own = [title, rename, delete, sure, file]

    show = _show(studio, samples)
    gr.on(
        [search.change, kind.change, count.change, seen.change],
        show,
        wish,
        view,
        **newest,
        **LONG_WORK,
        **private,
    )
    tab.select(lambda: True, outputs=visited, **private)
    gr.on([opened.change, visited.change], _open(studio), opened, own, **newest, **private).then(
        show, wish, view, **newest, **LONG_WORK, **private
    )
    gr.on([search.change, kind.change], lambda: PAGE, outputs=count, **private)
    more.click(lambda count: count + PAGE, count, count, **private)
    rename.click(_rename(studio, permission), [opened, title], title, **private).then(
        show, wish, view, **LONG_WORK, **private
    )
    draw.click(_draw(samples), opened, None, **LONG_WORK, api_visibility="private").then(
        show, wish, view, **LONG_WORK, **private
    )
    pack.click(
        _export(studio, file),
        opened,
        file,
        concurrency_limit=2,
        show_progress="minimal",
        api_visibility="private",
    )
    delete.click(_ask(studio, permission), opened, [sure, question], **private)
    no.click(lambda: gr.Column(visible=False), outputs=sure, **private)
    yes.click(_delete(studio, permission), opened, [sure, opened], **private)
    push.click(_push(studio, permission), [opened, repo], None, **LONG_WORK, api_visibility="private")


def _show(studio: Studio, samples: Samples) -> Callable:
    """The shelf and the chosen model; then the samples that are missing and quick, as they are drawn."""

    def show(turn: Turn, words: str, kind: str, count: int, chosen: str, visited: bool) -> Iterator[tuple]:
        if not visited:  # nobody waits for samples on a page whose gallery was never opened
            yield (gr.skip(),) * 3
            return
        ended = turn.begin()
        registry = studio.registry
        hits = found(registry, words, kind)
        shown = hits[:count]
        here = {card.id for card in registry.cards()}
        chosen = chosen if chosen in here else studio.first_model()

        def view() -> tuple:
            drawn = {card.id: samples.at_hand(card.id) for card in shown}
            return (
                shelf(shown, drawn, len(hits) - len(shown), chosen),
                gr.Button(visible=len(hits) > len(shown)),
                _full(studio, samples, chosen),
            )

        def work(emit: Emit, left: IsCancelled) -> None:
            for id in dict.fromkeys([chosen, *(card.id for card in shown)]):
                if left() or ended():
                    return
                if samples.at_hand(id) is None and samples.quick(id):
                    samples.draw(id)
                    emit(id)

        try:
            shelf_now = view()
            yield shelf_now if not ended() else (gr.skip(),) * 3
            for news in batches(work):
                if news and not ended():
                    yield view()
        except (UserError, DiskFull, FileNotFoundError) as error:
            if not isinstance(error, Cancelled) and not isinstance(error, FileNotFoundError):
                complain(UserError(str(error)))

    return show


def _full(studio: Studio, samples: Samples, id: str) -> str:
    registry = studio.registry
    return full(
        registry.card(id),
        samples.at_hand(id),
        family(registry.cards(), id),
        size(registry, id),
        registry.borrowers(id),
        registry.is_bundled(id),
    )


def _open(studio: Studio) -> Callable:
    def opened(id: str) -> tuple:
        try:
            card = studio.registry.card(id)
            fixed = studio.registry.is_bundled(id)
        except UserError:
            return (gr.skip(),) * 5
        return (
            gr.Textbox(card.title, interactive=not fixed),
            gr.Button(interactive=not fixed),
            gr.Button(interactive=not fixed),
            gr.Column(visible=False),
            gr.DownloadButton(visible=False),
        )

    return opened


def _rename(studio: Studio, permission: Permission) -> Callable:
    def rename(id: str, title: str):
        try:
            permission.check("Renaming a model")
            return studio.registry.rename(id, title)
        except UserError as error:
            complain(error)
            return gr.skip()

    return rename


def _draw(samples: Samples) -> Callable:
    def draw(id: str) -> None:
        try:
            samples.draw(id)
        except (UserError, DiskFull) as error:
            complain(UserError(str(error)))

    return draw


def _export(studio: Studio, file: gr.DownloadButton) -> Callable:
    """One zip with one folder; weights hardly shrink, so nothing is compressed.

    One for each state of a model, so that nobody can fill the disk with them.
    """

    def pack(id: str, progress=gr.Progress()):  # noqa: B008
        try:
            state = hashlib.sha256(repr(stamp(studio.registry.folder(id))).encode()).hexdigest()
            target = Path(file.GRADIO_CACHE) / state / f"{studio.registry.card(id).id}.zip"
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_file():
                with TemporaryDirectory(dir=target.parent) as name:
                    folder = export(studio.registry, id, Path(name) / id)
                    paths = sorted(path for path in folder.rglob("*") if path.is_file())
                    with zipfile.ZipFile(Path(name) / target.name, "w") as archive:
                        for path in progress.tqdm(paths, desc="Packing"):
                            archive.write(path, path.relative_to(name))
                    (Path(name) / target.name).replace(target)
        except (UserError, DiskFull) as error:
            complain(UserError(str(error)))
            return gr.skip()
        file.temp_files.add(str(target))  # so that Gradio clears it away one day
        label = f"Save {target.name} ({in_bytes(target.stat().st_size)})"
        return gr.DownloadButton(label, value=str(target), visible=True)

    return pack


def _ask(studio: Studio, permission: Permission) -> Callable:
    def ask(id: str):
        try:
            permission.check("Deleting a model")
            check_unused(Database(), id)
            studio.registry.check_deletable(id)
            card = studio.registry.card(id)
            children = [
                other.title for other in studio.registry.cards() if id in other.lineage and other.id != id
            ]
        except UserError as error:
            complain(error)
            return gr.Column(visible=False), gr.skip()
        said = f"<p>Delete <b>{escape(card.title)}</b> ({in_bytes(size(studio.registry, id))}) for good?"
        if children:
            said += f" {escape(', '.join(children))} was made from it, and goes on working."
        return gr.Column(visible=True), f"{said}</p>"

    return ask


def _delete(studio: Studio, permission: Permission) -> Callable:
    def delete(id: str):
        try:
            permission.check("Deleting a model")
            check_unused(Database(), id)
            studio.registry.delete(id)
        except UserError as error:
            complain(error)
            return gr.Column(visible=False), gr.skip()
        return gr.Column(visible=False), studio.first_model()

    return delete


def _push(studio: Studio, permission: Permission) -> Callable:
    def push(id: str, repo: str) -> None:
        try:
            permission.check("Pushing a model")
            with TemporaryDirectory() as name:
                folder = export(studio.registry, id, Path(name) / id)
                create_repo(repo.strip(), exist_ok=True)
                upload_folder(repo_id=repo.strip(), folder_path=folder)
            gr.Info(f"Pushed to {escape(repo.strip())}.")
        except UserError as error:
            complain(error)
        except Exception as error:  # a name that is none, no right to write, no network: the library's words
            complain(UserError(f"It could not be pushed ({str(error)[:200] or type(error).__name__})."))

    return push
