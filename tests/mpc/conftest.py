"""For the tests of mpc: the server that local parties are forked from loads what these test files import."""

from mpc import processes

# Of these files' own imports the slow ones; the parties import the file in which their program stands.
processes.PRELOADED += [
    "pytest",
    "hypothesis",
    "pandas",
    "sklearn.linear_model",
    "sklearn.svm",
    "sklearn.datasets",
]
