"""Run the command line from a checkout: `python run_study.py --help`."""

from training_factors.study.commands import main

if __name__ == "__main__":
    main()
