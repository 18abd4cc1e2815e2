"""Which training factor matters most for accuracy: `python run_study.py --help`."""

import gc

gc.set_threshold(200_000)  # imports make many objects that stay; looking at them takes its time

from study.commands import main  # noqa: E402

if __name__ == "__main__":
    main()
