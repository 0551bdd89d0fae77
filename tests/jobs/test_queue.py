"""The queue with real processes: kills on each side, reused pids, stop and resume, order, two pages."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from rf_app.errors import UserError
from rf_app.jobs import events, queue
from rf_app.jobs.database import Database
from rf_app.jobs.estimate import PACE_KEY, START, guess
from rf_app.jobs.lengthening import length, lengthen
from rf_app.jobs.log import log_path
from rf_app.jobs.plan import Wish
from rf_app.jobs.processes import ROOT, has_ended
from rf_app.jobs.progress import progress
from rf_app.jobs.runner import WAIT, work_off
from rf_app.jobs.stage import TRAINING, LoopWork, Plan
from tests.full_disk import full_disk
from tests.jobs.queues import FOREVER, add, begun, end_runner, ended, planned, runner_of, running
from tests.settled import until


def test_a_job_runs_its_stages_and_is_done(database: Database) -> None:
    id = add(database, (), ("--steps", "2"))
    queue.look(database)
    job = ended(database, id)
    assert (job.stage, job.pid, job.said) == (2, None, "")
    assert all(Path(stage.product).exists() for stage in job.stages)
    assert progress(database, job).share == 1
    assert database.rates("worker steps") == {1.0: 0.5}  # half a second a sample, as the events have it
    assert database.rates(PACE_KEY) == {0.0: 0.5 / guess(job.stages[0].loops[0], job.size)}


def test_a_finished_training_goes_on_beside_what_it_made(database: Database) -> None:
    """Its last stage alone, from the end of its own run; the old job and its product stay as they are."""
    id = add(database, (), ("--steps", "2"))
    for wrong, said in (((id, 3, "longer"), "cannot go on"), ((id, 0, "longer"), "cannot go on")):
        with pytest.raises(UserError, match=said):
            lengthen(database, *wrong)
    queue.look(database)
    ended(database, id)
    with pytest.raises(UserError, match="1 to 1,000,000 steps, not 0"):
        lengthen(database, id, 0, "longer")
    longer = lengthen(database, id, 3, "longer", "-Longer").id
    ended(database, longer)
    old, new = database.job(id), database.job(longer)
    assert (new.output, new.title, len(new.stages)) == ("longer", "-Longer", 1)
    assert new.wish.output == "longer"
    assert "from step 2" in log_path(database.job_folder(longer)).read_text()
    assert [len(events.read(Path(job.stages[-1].loops[0].run))) for job in (old, new)] == [2, 5]
    assert all(Path(job.stages[-1].product).exists() for job in (old, new))
    assert new.stages[0].loops[0].samples == 5
    queue.delete(database, id)
    assert length(database.job(longer)).done == 5


def test_a_world_goes_on_for_hours_and_its_second_half_begins_anew(database: Database) -> None:
    """With what the old job keeps untouched, though files of both are the same until one replaces its own."""

    def plan(folder: Path, others: list) -> Plan:
        options = ("--hours", "0.5", "--output", "x")
        made = planned(folder / "world", options)
        stage, wish = made.stages[0], Wish("world", "", "x", images="somewhere").as_json()
        loops = tuple(
            LoopWork("", str(folder / "world" / name), 1, 600.0, name) for name in ("reflow", "run-0")
        )
        product = folder / "world" / "figures.json"
        arguments = (*stage.arguments[:3], str(product), *options)
        own = replace(stage, loops=loops, product=str(product), arguments=arguments)
        return replace(made, stages=(own,), wish=wish)

    id = database.add(plan).id
    folder = database.job_folder(id) / "world"
    for path in (folder / "pictures/1.png", folder / "reflow/events.jsonl", folder / "autoencoder/vae/x"):
        path.parent.mkdir(parents=True)
        path.write_text('{"step": 1, "of": 1}\n')
    queue.look(database)
    ended(database, id)
    with pytest.raises(UserError, match=r"0\.01 to 999 hours, not 0"):
        lengthen(database, id, 0, "longer")
    job = lengthen(database, id, 1.5, "longer")
    ended(database, job.id)
    assert [loop.seconds for loop in job.stages[0].loops] == [2400, 2400]
    assert 1800 + 2400 <= job.seconds < 4800  # reflow anew; and a start
    assert length(job) is None
    assert length(database.job(job.id)).done == 2
    longer = database.job_folder(job.id) / "world"
    there = {str(path.relative_to(longer)) for path in longer.rglob("*") if path.is_file()}
    assert there == {"pictures/1.png", "run-0/events.jsonl", "figures.json"}
    assert (folder / "autoencoder/vae/x").exists()


def test_what_is_still_to_come_is_guessed_by_the_pace_so_far(database: Database) -> None:
    id = add(database, (), ())
    job = database.job(id)
    first, second = (stage.loops[0] for stage in job.stages)
    database.claim(TRAINING)
    database.note_process(id, 1)
    Path(first.run).mkdir(parents=True)
    slow = 10 * first.samples * guess(first, job.size)
    events.append(Path(first.run), {"step": 1, "of": 2, "seconds_left": slow / 2})
    left = progress(database, database.job(id)).seconds_left
    rest = 10 * second.samples * guess(second, job.size)
    assert left == pytest.approx(slow / 2 + START + rest)


def test_a_job_outlives_the_page_that_started_it(database: Database) -> None:
    id = add(database, FOREVER)
    code = (
        "import sys, time; from pathlib import Path; from rf_app.jobs import queue\n"
        "from rf_app.jobs.database import Database\n"
        "queue.look(Database(Path(sys.argv[1]))); print('started', flush=True); time.sleep(600)"
    )
    page = subprocess.Popen(
        [sys.executable, "-c", code, str(database.folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert page.stdout.readline() == "started\n"
    until(lambda: running(database, id), "the start")
    page.kill()
    page.wait()
    process = running(database, id)
    before = len(events.read(Path(database.job(id).stages[0].loops[0].run)))
    until(lambda: len(events.read(Path(database.job(id).stages[0].loops[0].run))) > before)
    assert [job.state for job in queue.look(database)] == ["running"]
    assert running(database, id) == process
    queue.stop(database, id)
    ended(database, id, "stopped")
    assert not process.is_running()


def test_a_killed_trainer_is_interrupted_with_its_last_words_and_resumes(database: Database) -> None:
    id = add(database, ("--steps", "40", "--slow", "0.05"))
    begun(database, id)
    running(database, id).kill()
    ended(database, id, "interrupted")
    assert "signal 9" in database.job(id).said
    assert "from step 0" in database.job(id).said
    queue.resume(database, id)
    ended(database, id)
    steps = [event["step"] for event in events.read(Path(database.job(id).stages[0].loops[0].run))]
    assert steps == list(range(1, 41))


def test_a_killed_runner_leaves_no_orphan_the_next_one_takes_its_process_over(database: Database) -> None:
    id = add(database, FOREVER)
    process = begun(database, id)
    end_runner(database)
    assert [job.state for job in queue.look(database)] == ["running"]  # and so it is
    assert process.is_running()
    queue.stop(database, id)
    ended(database, id, "stopped")
    assert not running(database, id)


def test_a_process_whose_pid_nobody_could_write_down_never_begins(tmp_path: Path) -> None:
    """As where the runner is killed between starting it and writing: its end of the pipe closes."""
    command = ["sh", "-c", WAIT, "sh", "touch", str(tmp_path / "begun")]
    assert subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode != 0
    assert not (tmp_path / "begun").exists()
    assert subprocess.run(command, input=b"go\n", check=False).returncode == 0
    assert (tmp_path / "begun").exists()


def test_both_killed_is_interrupted_at_the_first_look(database: Database) -> None:
    id = add(database, FOREVER)
    process = begun(database, id)
    end_runner(database)
    process.kill()
    until(lambda: has_ended(process))
    (job,) = queue.look(database)
    assert job.state == "interrupted"
    assert "from step 0" in job.said


def test_what_a_trainer_finished_while_nobody_looked_counts(database: Database) -> None:
    id = add(database, ("--steps", "20", "--slow", "0.05"), ("--steps", "2"))
    process = begun(database, id)
    end_runner(database)
    until(lambda: has_ended(process))
    assert [job.state for job in queue.look(database)] == ["running"]
    ended(database, id)


def test_a_reused_pid_is_not_taken_for_the_job(database: Database) -> None:
    """Our own process has the pid, but holds no lock: it is neither the job nor ended."""
    id = add(database)
    database.claim(TRAINING)
    database.job_folder(id).mkdir()
    database.note_process(id, os.getpid())
    (job,) = queue.look(database)
    assert job.state == "interrupted"


def test_what_a_full_disk_ended_is_told_and_can_be_deleted(database: Database) -> None:
    id = add(database)
    database.claim(TRAINING)
    database.job_folder(id).mkdir()
    database.note_process(id, os.getpid())
    log_path(database.job_folder(id)).write_text("error: The disk is full: cannot write mine.")
    with full_disk(0):
        (job,) = queue.look(database)
        assert (job.state, job.said) == ("interrupted", "The disk is full: cannot write mine.")
    assert database.job(id).state == "running"  # it could not be noted
    queue.delete(database, id)
    assert queue.look(database) == []


def test_stop_ends_what_does_not_listen_with_its_children(database: Database) -> None:
    id = add(database, (*FOREVER, "--deaf"))
    thread = threading.Thread(target=work_off, args=(database, 0.3))
    thread.start()
    until(lambda: running(database, id), "the start")
    process = running(database, id)
    database.stop(id)
    thread.join(60)
    assert database.job(id).state == "stopped"
    assert not process.is_running()


def test_somebody_elses_sigterm_is_a_stop_not_the_end(database: Database) -> None:
    id = add(database, FOREVER, ())
    begun(database, id)
    running(database, id).send_signal(signal.SIGTERM)
    ended(database, id, "stopped")
    assert database.job(id).stage == 0


def test_what_another_made_under_its_name_is_not_taken_for_a_resumed_jobs(database: Database) -> None:
    id = add(database, ("--steps", "6", "--slow", "0.2"))
    begun(database, id)
    queue.stop(database, id)
    (stage,) = ended(database, id, "stopped").stages
    product = Path(stage.product)
    product.write_text("another's")
    os.utime(product, (product.stat().st_mtime + 60,) * 2)
    queue.resume(database, id)
    ended(database, id)
    assert len(events.read(Path(stage.loops[0].run))) == 6


def test_an_error_is_the_jobs_last_word_and_the_queue_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")  # of whoever started the page
    message = "The disk is full: cannot write größer-湖 (0 MiB free). Make room and run it again."
    failing, next_one = add(database, ("--fail", message)), add(database)
    queue.look(database)
    ended(database, next_one)
    assert (database.job(failing).state, database.job(failing).said) == ("failed", message)
    queue.resume(database, failing)
    ended(database, failing, "failed")


def test_one_at_a_time_in_an_order_that_can_be_changed(database: Database) -> None:
    first, second, third = add(database, FOREVER), add(database), add(database)
    begun(database, first)
    database.move(third, up=True)
    assert [job.id for job in queue.look(database)] == [first, third, second]
    database.move(third, up=True)  # it is the first that waits already
    queue.stop(database, first)
    ended(database, second)
    assert database.job(third).began < database.job(second).began
    with pytest.raises(UserError, match="only a queued one can be moved"):
        database.move(third, up=True)


def test_two_pages_start_one_runner_and_one_process(database: Database) -> None:
    id = add(database, FOREVER)
    pages = [threading.Thread(target=queue.look, args=(Database(database.folder),)) for _ in range(4)]
    for page in pages:
        page.start()
    for page in pages:
        page.join()
    until(lambda: running(database, id), "the start")
    runner_of(database)  # there is exactly one
    assert len(runner_of(database).children()) == 1


def test_a_waiting_job_can_be_taken_out_and_put_back(database: Database) -> None:
    first, second = add(database, FOREVER), add(database)
    queue.look(database)
    queue.stop(database, second)
    assert database.job(second).state == "stopped"
    queue.resume(database, second)
    assert database.job(second).state == "queued"
    until(lambda: running(database, first), "the start")
    with pytest.raises(UserError, match="stop it first"):
        queue.delete(database, first)


def test_deleting_removes_the_jobs_folder_and_nothing_else(database: Database) -> None:
    kept, gone = add(database), add(database)
    queue.look(database)
    ended(database, gone)
    queue.delete(database, gone)
    assert not database.job_folder(gone).exists()
    assert database.job_folder(kept).exists()
    with pytest.raises(UserError, match=f"no job {gone}. Jobs: {kept}"):
        queue.delete(database, gone)


def test_a_database_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite3").write_bytes(b"this is no database" * 100)
    with pytest.raises(UserError, match="cannot be used: file is not a database"):
        Database(tmp_path).jobs()


def test_a_model_that_a_job_needs_is_in_use_until_the_job_is_over(database: Database) -> None:
    id = add(database, ("--fail", "my-teacher", "--slow=my-base"))
    for model in ("my-teacher", "my-base"):
        with pytest.raises(UserError, match=f"Job {id} needs '{model}': stop it first"):
            queue.check_unused(database, model)
    queue.check_unused(database, "my-tea")
    database.stop(id)
    queue.check_unused(database, "my-teacher")


def test_file_work_runs_beside_a_training_three_at_a_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INSTAFLOW_NICE")
    trained = [add(database, FOREVER), add(database, FOREVER)]
    files = [add(database, FOREVER, kind="import") for _ in range(4)]
    queue.look(database)
    for id in (trained[0], *files[:3]):
        until(lambda id=id: running(database, id), "the start")
    states = {job.id: job.state for job in database.jobs()}
    assert [states[id] for id in (trained[1], files[3])] == ["queued", "queued"]
    niceness = running(database, trained[0]).nice(), running(database, files[0]).nice()
    assert niceness == (19, min(19, os.nice(0) + 10))
    end_runner(database)
    queue.look(database)  # the next one takes all four over
    queue.stop(database, files[1])
    until(lambda: running(database, files[3]), "the start of the next")
    assert database.job(files[1]).state == "stopped"
    queue.resume(database, files[1])
    until(lambda: database.job(files[1]).state == "queued")
    for id in (files[0], trained[0]):
        queue.stop(database, id)
    until(lambda: running(database, files[1]), "the next of each lane")
    until(lambda: running(database, trained[1]), "the next of each lane")


def test_a_job_that_cannot_begin_is_failed_and_the_queue_goes_on(database: Database) -> None:
    stuck, next_one = add(database), add(database)
    database.job_folder(stuck).parent.mkdir(exist_ok=True)
    database.job_folder(stuck).write_text("a file where its folder should be")
    queue.look(database)
    ended(database, next_one)
    assert database.job(stuck).state == "failed"
    assert "could not be started" in database.job(stuck).said


def test_a_deleted_job_takes_what_it_left_unfinished_with_it(database: Database, tmp_path: Path) -> None:
    kept, gone = tmp_path / "kept", tmp_path / "gone"
    for folder in (kept, gone):
        folder.mkdir()

    def leaving(*folders: Path) -> int:
        def make(folder: Path, others: list) -> Plan:
            plan = planned(folder, kind="import")
            (stage,) = plan.stages
            return replace(plan, stages=tuple(replace(stage, unfinished=str(each)) for each in folders))

        return database.add(make).id

    first, _ = leaving(gone, kept), leaving(kept)
    queue.delete(database, first)
    assert (gone.exists(), kept.exists()) == (False, True)


@pytest.mark.parametrize(
    ("wish", "arguments", "said"),
    [
        ({"title": "a\0b"}, (), "title holds a NUL character"),
        ({"settings": {"lora.trigger": "\ud800"}}, (), "lora.trigger holds half a surrogate pair"),
        ({"sources": ["x", "\udfff"]}, (), "sources holds half a surrogate pair"),
        ({}, ("--trigger", "x" * 200_000), "trigger has 200,000 characters; a text may take 100,000 bytes"),
        ({}, (f"--trigger={'x' * 200_000}",), "trigger has 200,010 characters"),
    ],
)
def test_texts_that_no_command_takes_are_refused(
    database: Database, wish: dict, arguments: tuple, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        queue.start(database, lambda folder: replace(planned(folder, arguments, kind="import"), wish=wish))
    assert database.jobs() == []
    assert list(database.folder.iterdir()) == [database.path]


def test_two_jobs_do_not_make_the_same(database: Database, tmp_path: Path) -> None:
    def make(folder: Path) -> Plan:
        plan = planned(folder, FOREVER, kind="import")
        return replace(plan, stages=(replace(plan.stages[0], product=str(tmp_path / "product")),))

    job = queue.start(database, make)
    with pytest.raises(UserError, match=f"Job {job.id} is about to make 'x'"):
        queue.start(database, make)
    queue.stop(database, job.id)
    ended(database, job.id, "stopped")
    (tmp_path / "product").write_text("there")
    with pytest.raises(UserError, match="already 'product'"):
        queue.start(database, make)
