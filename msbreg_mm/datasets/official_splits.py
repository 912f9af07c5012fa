"""The official training and validation split of a data set, for configs."""

from typing import Any


def official_splits(base: Any) -> dict[str, Any]:
    """Concatenate the ``train`` and the ``val`` split of a config's data set.

    For probes, which choose a hyperparameter on the last part
    (:func:`msbreg_mm.evaluation.logistic.split_validation`) and see every image as
    the test set is seen.

    Args:
        base: ``_base_`` of a config that inherits a file of
            ``configs/_base_/datasets`` whose data set knows these splits.

    Returns:
        ``train_dataloader.dataset``, in place of the inherited one.
    """
    inherited = base.train_dataloader.dataset
    parts = [
        dict(inherited, split=split, pipeline=base.test_pipeline)
        for split in ('train', 'val')
    ]
    return {'_delete_': True, 'type': 'ConcatDataset', 'datasets': parts}
