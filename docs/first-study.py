# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which training factor matters most for digits?
#
# `run` trains 177 networks on 1,797 images of digits (one to two minutes on two cores), or goes on
# with a study that was interrupted. A study shows its answer: the verdict, and the share of the
# variance of accuracy that each factor causes.

# %%
import training_factors as tf

study = tf.run("digits")
study

# %% [markdown]
# The same numbers as a table. A factor whose `evidence` is "not distinguishable" may have no effect
# at all; the placebo has none.

# %%
answer = study.importance()
answer.table()[["share", "share_low", "share_high", "gain", "best_option", "evidence"]].round(3)

# %% [markdown]
# What each option is worth, in points over the baseline option of its factor.

# %%
study.plot("gains")

# %% [markdown]
# What to set. A configuration from a single run is a candidate; `study.confirm()` compares it with
# its one-factor changes in paired runs on the test part, and takes a few more minutes.

# %%
advice = study.recommend()
print(advice.source)
settings = advice.table()
settings[settings.evidence != "untested"][["option", "hyperparameters", "evidence"]]

# %% [markdown]
# All trials are a DataFrame, and the whole report is one page for the browser.

# %%
trials = study.trials()
print(study.report())
trials.groupby("phase").value.describe().round(3)
