"""List the tasks that checkpoints can be transferred to, by folder."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``msbreg tasks``: none."""


def run(args: argparse.Namespace) -> int:
    """List."""
    return list_tasks()


def list_tasks() -> int:
    """Print the shipped tasks with protocol and description, by folder."""
    from rich.console import Console
    from rich.text import Text

    from msbreg_mm.suite.tasks import CONFIG_ROOT, find_tasks, read_about

    console = Console()
    folder = ''
    for file in sorted(find_tasks()):
        if (name := str(file.parent.relative_to(CONFIG_ROOT))) != folder:
            folder = name
            console.print(Text(f'configs/{folder}', style='dim'))
        about = read_about(file)
        console.print(Text(f'  {file.stem}', style='bold'), soft_wrap=True)
        for key in ('protocol', 'description'):
            if text := about.get(key):
                console.print(Text(f'      {text}'), soft_wrap=True)
    return 0
