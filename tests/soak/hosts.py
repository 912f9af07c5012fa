"""Two hosts in network namespaces; one is killed, and torchrun goes on.

    sudo python tests/soak/hosts.py WORK_DIR DATA_ROOT

Each host is a namespace with an address of its own; they see each other through a pair
of virtual devices and nothing else. A run of two processes is trained to the end, then
again, and one host is killed (SIGKILL to torchrun and its process) in the middle. Both
are started anew with ``--resume``. The networks of the last checkpoints must be
equal to the last bit.
Needs root and ``ip``; ``DATA_ROOT`` is a pack of CIFAR-10 (docs/demo.md).
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/demo/msbreg_resnet18-w16_1xb64-coslr-10e_cifar10.py'
HOSTS = [(f'msbreg{os.getpid()}-{n}', f'10.231.7.{n}') for n in (1, 2)]
PATIENCE = 240


def ip(*words: str, check: bool = True) -> None:
    """Call ``ip``."""
    subprocess.run(['ip', *words], check=check, capture_output=not check)


def connect() -> None:
    """Make both namespaces and the wire between them."""
    for name, _ in HOSTS:
        ip('netns', 'add', name)
    (first, _), (second, _) = HOSTS
    ip('link', 'add', 'eth9', 'netns', first, 'type', 'veth', 'peer', 'name', 'eth9',
       'netns', second)  # fmt: skip
    for name, address in HOSTS:
        ip('-n', name, 'addr', 'add', f'{address}/24', 'dev', 'eth9')
        ip('-n', name, 'link', 'set', 'eth9', 'up')
        ip('-n', name, 'link', 'set', 'lo', 'up')


def start(work: Path, data: Path, port: int, resume: bool) -> list[subprocess.Popen]:
    """Start torchrun on both hosts."""
    changes = {
        'data_root': data, 'train_dataloader.batch_size': 16,
        'train_dataloader.num_workers': 0, 'train_dataloader.persistent_workers': False,
        'train_dataloader.dataset.indices': 640, 'train_cfg.max_epochs': 2,
        'default_hooks.checkpoint.interval_minutes': 0.02,
    }  # fmt: skip
    found = []
    for rank, (name, _) in enumerate(HOSTS):
        # fmt: off
        command = ['ip', 'netns', 'exec', name, sys.executable, '-m',
                   'torch.distributed.run', '--nnodes=2', '--nproc-per-node=1',
                   f'--node-rank={rank}', f'--master-addr={HOSTS[0][1]}',
                   f'--master-port={port}', str(ROOT / 'tools/train.py'), str(CONFIG),
                   '--launcher', 'pytorch', '--work-dir', str(work),
                   '--cfg-options', *(f'{k}={v}' for k, v in changes.items())]
        # fmt: on
        if resume:
            command.insert(command.index('--work-dir'), '--resume')
        environment = {
            **os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1',
            'GLOO_SOCKET_IFNAME': 'eth9', 'NCCL_SOCKET_IFNAME': 'eth9',
        }  # fmt: skip
        work.mkdir(parents=True, exist_ok=True)
        log = (work / f'host{rank}.log').open('a')
        found.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log,
                                      start_new_session=True))  # fmt: skip
    return found


def end(processes: list[subprocess.Popen]) -> list[int]:
    """Wait for both; kill what does not end."""
    limit = time.monotonic() + PATIENCE
    try:
        return [p.wait(max(1, limit - time.monotonic())) for p in processes]
    finally:
        kill_all()


def kill_all(hosts: list[tuple[str, str]] | None = None) -> None:
    """Kill every process of a host, as a power cut would."""
    for name, _ in hosts or HOSTS:
        listed = subprocess.run(['ip', 'netns', 'pids', name], capture_output=True)
        for number in listed.stdout.split():
            os.kill(int(number), signal.SIGKILL)


def weights(work: Path) -> dict:
    """Weights, target and statistics of the last checkpoint."""
    last = Path((work / 'last_checkpoint').read_text())
    content = torch.load(work / last.name, map_location='cpu', weights_only=False)
    assert content['meta']['epoch'] == 2, content['meta']['epoch']
    return content['state_dict']


def main() -> int:
    """Run both trainings and compare; 1 if they differ."""
    folder, data = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    try:
        connect()
        assert end(start(folder / 'whole', data, 29511, False)) == [0, 0]
        running = start(folder / 'killed', data, 29512, False)
        limit = time.monotonic() + PATIENCE
        while not list((folder / 'killed').glob('iter_*.pth')):
            assert time.monotonic() < limit, 'no checkpoint inside the epoch'
            time.sleep(0.2)
        kill_all(HOSTS[1:])
        codes = end(running)
        print(f'one host killed; torchrun of both ended with {codes}')
        assert 0 not in codes
        assert end(start(folder / 'killed', data, 29513, True)) == [0, 0]
    finally:
        kill_all()
        for name, _ in HOSTS:
            ip('netns', 'del', name, check=False)
    whole, killed = weights(folder / 'whole'), weights(folder / 'killed')
    differ = [key for key in whole if not torch.equal(whole[key], killed[key])]
    print(f'{len(differ)} of {len(whole)} tensors differ')
    return int(bool(differ))


if __name__ == '__main__':
    sys.exit(main())
