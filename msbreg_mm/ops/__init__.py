"""mmcv ops on torchvision."""


def install() -> None:
    """Provide mmcv._ext."""
