"""Which training factor matters most for accuracy: `python run_study.py --help`."""

from study.commands import main

if __name__ == "__main__":
    main()
