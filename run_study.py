"""Run the command line from a checkout: `python run_study.py --help`."""

from training_factors.__main__ import main

if __name__ == "__main__":
    main()
