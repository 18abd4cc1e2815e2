"""Divide the data anew into training pool and validation part, to see what the division causes.

The test part stays that of the study: only the confirmation may use its samples.
"""

from collections.abc import Iterator
from importlib import import_module

import numpy as np
import torch
from numpy.typing import NDArray

from training_factors.search_spaces.problem import strata
from training_factors.study.data.dataset import Dataset
from training_factors.study.data.division import PartIndices, divide
from training_factors.study.data.parts import PartLabel
from training_factors.study.training.seeds import derive_seed, generator

DRAWS = 50
"""Number of draws in which a division that is not there yet must be found."""

GROUP_CANDIDATES = 10
"""Number of random validation parts per draw of whole groups; the most similar to that of the
study, in size and classes, is kept."""


def other_division(dataset: Dataset, seed: int, row: int, number: int) -> PartIndices:
    """Return a division of the data other than the study's, with the same test part.

    Its validation part has as many samples of every class (for regression, of every decile of the
    targets) as that of the study; of whole groups, about as many. Every row of the design has
    divisions of its own, so that their results are independent; those of one row differ.

    seed: of the study. row: of the design. number: of the row's other division, from 1 on.

    Raises ValueError where the source brings its own validation part, and where there are fewer
    divisions.
    """
    _refuse_own_validation(dataset)
    own = divide(dataset, seed)
    rest = np.sort(np.concatenate([own.pool.numpy(), own.validation.numpy()]))
    in_validation = np.isin(rest, own.validation.numpy())
    seen = {in_validation.tobytes()}
    for i in range(1, number + 1):
        draw_seed = derive_seed(seed, "other division", row, i)
        chosen = _first_new(dataset, rest, in_validation, seen, draw_seed)
        seen.add(chosen.tobytes())
    pool, validation = (torch.from_numpy(rest[part]) for part in (~chosen, chosen))
    return PartIndices(pool, validation, own.test)


def _refuse_own_validation(dataset: Dataset) -> None:
    """Raise ValueError where the source brings its own validation part: nothing is drawn then."""
    if bool((dataset.parts == PartLabel.VALIDATION).any()):
        raise ValueError(
            f"--divisions draws other validation parts, but data {dataset.name!r} brings its own; "
            "leave --divisions out, or let the study divide the data"
        )


def _first_new(
    dataset: Dataset,
    rest: NDArray[np.int64],
    in_validation: NDArray[np.bool_],
    seen: set[bytes],
    seed: int,
) -> NDArray[np.bool_]:
    """Return which of the rest are in a validation part that is not among those seen."""
    draw = _draw_groups if len(dataset.groups) else _draw_samples
    for candidate in draw(dataset, rest, in_validation, seed):
        if candidate.tobytes() not in seen:
            return candidate
    raise ValueError(
        f"data {dataset.name!r} cannot be divided in {len(seen) + 1} ways; use a smaller "
        "--divisions, or bring more samples or groups"
    )


def _draw_samples(
    dataset: Dataset, rest: NDArray[np.int64], in_validation: NDArray[np.bool_], seed: int
) -> Iterator[NDArray[np.bool_]]:
    """Yield random validation parts with the same number of samples of every class or decile."""
    classes = strata(dataset.targets[rest]).numpy()
    random = generator(seed, "samples")
    for _ in range(DRAWS):
        order = torch.randperm(len(rest), generator=random).numpy()
        shuffled = order[np.argsort(classes[order], kind="stable")]
        drawn = np.zeros(len(rest), dtype=bool)
        # Samples of a class follow one another in both orders, so each class keeps its number.
        drawn[shuffled] = in_validation[np.argsort(classes, kind="stable")]
        yield drawn


def _draw_groups(
    dataset: Dataset, rest: NDArray[np.int64], in_validation: NDArray[np.bool_], seed: int
) -> Iterator[NDArray[np.bool_]]:
    """Yield random validation parts of whole groups, the best of each draw first.

    `StratifiedGroupKFold`, by which the study's own part is drawn, would find that part again.
    """
    sklearn = import_module("sklearn.model_selection")  # takes a second
    classes = strata(dataset.targets[rest]).numpy()
    groups = dataset.groups.numpy()[rest]
    wanted = np.bincount(classes[in_validation], minlength=classes.max() + 1)
    random = generator(seed, "groups")
    for _ in range(DRAWS):
        splitter = sklearn.GroupShuffleSplit(
            GROUP_CANDIDATES,
            test_size=float(in_validation.mean()),
            random_state=int(torch.randint(2**31, (), generator=random)),
        )
        candidates = []
        for _, fold in splitter.split(rest, groups=groups):
            drawn = np.zeros(len(rest), dtype=bool)
            drawn[fold] = True
            held = np.bincount(classes[drawn], minlength=len(wanted))
            left = np.bincount(classes[~drawn], minlength=len(wanted))
            if dataset.classes is None or (held.all() and left.all()):
                candidates.append((int(np.abs(held - wanted).sum()), drawn))
        yield from (drawn for _, drawn in sorted(candidates, key=lambda one: one[0]))
