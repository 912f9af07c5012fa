"""Whole ablations around the fake trainer."""

import csv
import json
import runpy
import signal
import threading
from pathlib import Path

import pytest
import submitit
from rich.console import Console

from msbreg_mm.ablation.run import AblateOptions, run
from msbreg_mm.runs.record import read_record
from msbreg_mm.utils.errors import InputError

FOUR = (
    "variants={'full': {}, 'bad': {'model.fate': 'diverge'},"
    "'flat': {'model.fate': 'collapse', 'model.gain': 1.0}, 'none': None},"
    "reference='full', seeds=(0, 1), description='what <matters>'"
)


@pytest.fixture
def ablate(tmp_path, command):
    """Run an ablation; return the exit code and what was printed."""

    def call(config, **options):
        console = Console(width=200, record=True, file=(tmp_path / 'out').open('w'))
        options = {'work_dir': str(tmp_path / 'runs'), 'jobs': 2, **options}
        code = run(AblateOptions(str(config), command=command, **options), console)
        return code, console.export_text()

    return call


@pytest.fixture
def in_process(tmp_path, monkeypatch):
    """Run jobs in this process: their own cost seconds, the trainers' remain."""
    monkeypatch.setattr(
        'msbreg_mm.suite.runner.make_executor',
        lambda work_dir, cluster: submitit.DebugExecutor(tmp_path / 'jobs'),
    )


def calls(folder):
    file = folder / 'calls.txt'
    return (
        [json.loads(x) for x in file.read_text().splitlines()] if file.is_file() else []
    )


@pytest.mark.usefixtures('in_process')
def test_whole_ablation(ablate, write_ablation, tmp_path):
    config = write_ablation(FOUR)
    code, text = ablate(config, cfg_options=('optim_wrapper.optimizer.lr=0.2',))
    runs = tmp_path / 'runs'
    assert code == 1
    assert 'pretraining · bad · seed 0: the trainer ended with code 1' in text

    record = read_record(runs / 'pretraining/flat/seed1')
    assert record.metrics['effective_rank'] == 1.0
    assert record.metrics['collapsed_readings'] == 12
    assert record.identity.seed == 1
    (call,) = calls(runs / 'pretraining/full/seed1')
    assert call['cfg_options'] == ['optim_wrapper.optimizer.lr=0.2']
    (call,) = calls(runs / 'probe_tiny/full/seed1')
    assert call['cfg_options'] == []
    assert call['checkpoint'] == str(runs / 'pretraining/full/seed1/epoch_3.pth')
    (call,) = calls(runs / 'probe_tiny/none/seed0')
    assert call['checkpoint'] == 'random'
    assert not (runs / 'probe_tiny/bad').exists()

    rows = [x for x in (runs / 'ablation.md').read_text().splitlines() if x[:1] == '|']
    assert rows[0].startswith('| variant | seeds | 20-NN | Δ 20-NN | rank | effective')
    assert rows[2].startswith('| full | 2 | 22.5 ± 0.7 | – | 5.0 ± 0.0 | 40.5 ± 0.7 |')
    assert rows[3].startswith('| bad | 0 (2 diverged) | – | – | – | – | – | – |')
    assert '| 21.5 ± 0.7 | -1.0 | 5.0 ± 0.0 | 1.0 ± 0.0 | 2 of 2' in rows[4]
    assert rows[5].startswith('| none | 2 | 20.5 ± 0.7 | -2.0 |')
    content = json.loads((runs / 'ablation.json').read_text())
    full, bad, flat, _ = content['variants']
    assert full['runs'][0]['collapsed'] is False
    assert 'FloatingPointError' in bad['runs'][0]['failure']
    assert flat['changes'] == {'model.fate': 'collapse', 'model.gain': 1.0}
    assert flat['differences']['probe_tiny/knn/top1']['mean'] == -1.0
    lines = list(csv.DictReader((runs / 'ablation.csv').open()))
    assert {x['value'] for x in lines if x['metric'] == 'knn/top1'} == {
        '22.0', '23.0', '21.0', '20.0'
    }  # fmt: skip
    page = (runs / 'ablation.html').read_text()
    for part in (
        'what &lt;matters&gt;',
        '2 runs failed',
        'Online kNN',
        'Effective rank',
    ):
        assert part in page, part

    # Nothing is run twice, and a report needs no run.
    before = len(list(runs.rglob('calls.txt')))
    assert ablate(config, report_only=True)[0] == 0
    options = ('optim_wrapper.optimizer.lr=0.2',)
    assert ablate(config, cfg_options=options, variants=['f*', 'none'])[0] == 0
    assert len(list(runs.rglob('calls.txt'))) == before
    assert len(calls(runs / 'pretraining/full/seed0')) == 1


def test_interrupted_pretraining_goes_on(ablate, write_ablation, tmp_path):
    config = write_ablation("variants={'slow': {'model.fate': 'hang'}}, seeds=(0,)")
    folder = tmp_path / 'runs/pretraining/slow/seed0'
    checkpoint = folder / 'epoch_2.pth'
    done = threading.Event()

    def interrupt():
        while not checkpoint.is_file() and not done.wait(0.05):
            pass
        signal.raise_signal(signal.SIGINT)

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    try:
        thread.start()
        code, text = ablate(config)
    finally:
        done.set()
        thread.join()
        signal.signal(signal.SIGINT, previous)
    assert code == 130
    assert 'goes on from here' in text
    assert read_record(folder) is None
    code, _ = ablate(config)
    assert code == 0
    assert [call['resume'] for call in calls(folder)] == [False, True]
    assert read_record(folder).metrics['effective_rank'] == 40.0


@pytest.mark.usefixtures('in_process')
def test_changed_variant_is_pretrained_and_evaluated_again(
    ablate, write_ablation, tmp_path
):
    ablate(write_ablation("variants={'x': {'model.gain': 1.0}}, seeds=(0,)"))
    code, _ = ablate(write_ablation("variants={'x': {'model.gain': 5.0}}, seeds=(0,)"))
    assert code == 0
    content = json.loads((tmp_path / 'runs/ablation.json').read_text())
    (result,) = content['variants'][0]['runs']
    assert result['values']['probe_tiny/knn/top1'] == 25.0


def test_dry_run_starts_and_writes_nothing(ablate, write_ablation, tmp_path):
    code, text = ablate(write_ablation(FOUR), dry_run=True)
    assert code == 0
    assert '14 jobs, 14 to run' in text
    assert not (tmp_path / 'runs').exists()


def test_dry_run_shows_schedules_that_differ(ablate, write_ablation):
    longer = write_ablation("variants={'short': {}, 'long': {'epochs': 7}}, seeds=(0,)")
    _, text = ablate(longer, dry_run=True)
    pretraining, _, probe = text.partition('probe_tiny')
    lines = {line.split()[0]: line for line in pretraining.splitlines() if line.strip()}
    assert '3 epochs, batch 4' in lines['short']
    assert '7 epochs, batch 4' in lines['long']
    assert 'schedule' not in probe


@pytest.mark.parametrize(
    ('text', 'tail', 'match'),
    [
        ("variants={'x': {'model.gian': 1}}", None, "did you mean 'gain'"),
        ("variants={'x': {}}", "base='base.py', tasks=['no_such_task'], ", 'no task'),
        ("variants={'x': {}}", "base='base.py', tasks=['base.py'], ", 'be scored'),
        ("variants={'x': {'+train_cfg': None, 'epochs': 2}}", None, 'needs train_cfg'),
    ],
)  # fmt: skip
def test_bad_input_ends_before_anything_runs(
    ablate, write_ablation, tmp_path, text, tail, match
):
    config = write_ablation(text, *([tail] if tail else []))
    with pytest.raises(InputError, match=match):
        ablate(config)
    assert not (tmp_path / 'runs/pretraining').exists()


def test_tool(write_ablation, tmp_path, monkeypatch, capsys):
    config = write_ablation(FOUR)
    tool = Path(__file__).parents[2] / 'tools' / 'ablate.py'
    flags = ['--dry-run', '--variants', 'f*', '--seeds', '4', '--work-dir', 'runs']
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('sys.argv', [str(tool), str(config), *flags])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(tool), run_name='__main__')
    assert ended.value.code == 0
    assert '4 jobs, 4 to run' in capsys.readouterr().out
