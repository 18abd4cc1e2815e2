"""The data sets that go by a name, for help texts that must not load anything."""

BUILT_IN = ("digits", "wine", "breast_cancer", "diabetes")
"""Inside scikit-learn: no network needed."""

TORCHVISION = ("mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100", "svhn", "stl10")
