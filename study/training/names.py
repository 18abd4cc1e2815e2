"""The data sets that have a name. Imports nothing, so that a help text may list them."""

SCIKIT_LEARN = ("digits", "wine", "breast_cancer", "diabetes")
"""Inside scikit-learn: no network is needed."""

TORCHVISION = {
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "kmnist": "KMNIST",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
    "svhn": "SVHN",
    "stl10": "STL10",
}
"""Downloaded once, by torchvision's class of this name."""


def dataset_names() -> tuple[str, ...]:
    """All of them, the default first."""
    return (*SCIKIT_LEARN, *TORCHVISION)
