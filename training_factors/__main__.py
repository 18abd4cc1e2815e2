"""Run the command line: `python -m training_factors`."""

from training_factors.study.commands import main

if __name__ == "__main__":
    main()
