"""What the help says of each screen: what it shows, what its symbols mean; and words of the field.

Texts are templates of `Noun.fill`. The legend of a screen has every symbol that its code uses.
"""

from dataclasses import dataclass

Legend = dict[str, str]
"""Symbols that go together, and what they mean."""


@dataclass(frozen=True)
class Topic:
    """The help on one screen."""

    title: str
    shows: tuple[str, ...]
    """Paragraphs."""
    symbols: Legend

    def hint(self, key: str) -> str:
        """Return the line that is shown when the screen is opened for the first time."""
        return f"{key} explains this screen · {self.title}"


_TEXTS: Legend = {
    "▸": "after the program's name: which screen this is",
    "–": "not known yet, or nothing to show",
    "…": "the text goes on; a wider terminal shows more of it",
    "→": "from the earlier or first value to the later or second one",
    "−": "a value below zero, or a loss",
    "±": "half of the 95 % interval; differences smaller than this are noise",
}
_CHARTS: Legend = {
    "●": "the best evaluation: where this dot is, this model is opened; also marks a pinned curve",
    "╌": "the dashed curve: the same metric on the validation {items}",
}
_RANKS: Legend = {
    "✓ ✗": "a hit: the held-out {item} is in the top 50; a miss: it is not",
    "▲ ▼": "places up, towards the top; places down",
}
_RULER: Legend = {
    "─": "the scale of ranks from 1 at the left, logarithmic; the dot ● is the rank",
    "┊": "rank 50: a dot to its left is a hit",
}
_SPARKLINE: Legend = {"▁▂▃▄▅▆▇█": "the rank after each epoch: the taller, the better"}
_BARS: Legend = {
    "█▐▌": "how much a part of the score lifts the {item} above the mean of all {items}",
    "▒": "how much it pulls the {item} below the mean",
    "★": "the held-out {item}",
    "←": "says that the {item} beside it is held out",
}
_PICKED: Legend = {"✓": "picked already"}
_HISTOGRAM: Legend = {
    "█▉▊▋▌▍▎▏": "bars: how many users or {items} fall into each range",
}

TOPICS: dict[str, Topic] = {
    "train": Topic(
        "Watch a training",
        (
            "The charts show how the model learns: the loss falls, and Hit@50 and AUC rise, epoch "
            "by epoch. Below them stand the rank race, where the held-out {items} of some users "
            "move towards the top 50, the log, and the load of the machine.",
            "The training is a process of its own. It goes on when you leave this screen, close "
            "the terminal or lose the connection.",
        ),
        _CHARTS
        | {
            "●": "in the first line: the state of the run; in a chart: the best evaluation, which "
            "is opened; in the list of users: pinned in the race",
            "━": "how much of the training is done",
            "!": "an alarm: what is wrong with the training; the log says when that was over",
        }
        | _RULER
        | _RANKS
        | _TEXTS,
    ),
    "runs": Topic(
        "All runs",
        (
            "Each row is a run, the latest first: a training, an adopted model, or a baseline. The "
            "charts below compare the runs that you mark, or show the one under the cursor.",
            "The filter takes words, which are searched in names, states and datasets, and "
            "comparisons such as best>0.3 or state=running; a - before a part negates it.",
        ),
        _CHARTS | {"!": "behind a state: an alarm, which the line below the charts tells"} | _TEXTS,
    ),
    "explore": Topic(
        "What the model recommends, and why",
        (
            "On the left are the users and your guests; on the right stands one person's story. "
            "The line with the dot shows where the held-out {item} ranks among everything that the "
            "person has not had.",
            "Tab 1 ranks all {items} and explains the one under the cursor. Tab 2 is the history, "
            "3 the nearest users, 4 the rank after each epoch, 5 what nearly made it a hit.",
            "A search takes the id first, then ids that start with the text, ids that have it, "
            "titles, years.",
        ),
        _RANKS
        | _CHARTS
        | {"●": "the rank on the scale; in a chart: this epoch"}
        | _RULER
        | _SPARKLINE
        | _BARS
        | {
            "▲ ▼": "in the title of the list: sorted upwards or downwards; else places up or down",
            "◂": "the bar goes on to the left",
            "σ": "standard deviations of the scores",
            "✓ ✗": "a hit and a miss; in tab 5: the {item} that makes it one or the other; in a "
            "search: picked already",
            "← →": "the keys that change the epoch; ← also marks the held-out {item}",
        }
        | _TEXTS,
    ),
    "item": Topic(
        "One {item}",
        (
            "Similar {items} by each part of the model, the users for whom it ranks highest, and "
            "how its ranks spread over users.",
        ),
        _HISTOGRAM
        | _PICKED
        | {
            "★": "this {item} is what the user has held out",
        }
        | _TEXTS,
    ),
    "failures": Topic(
        "Whom the model serves badly",
        (
            "Tab 1 lists all users, the worst rank first, beside what popularity alone gives them. "
            "Tab 2 groups users by what they have and what is held out. Tab 3 lists the {items} "
            "that nobody is recommended.",
        ),
        _HISTOGRAM
        | _SPARKLINE
        | {
            "●": "in a cohort's line: its Hit@50",
            "○": "in a cohort's line: the Hit@50 of popularity alone",
            "─": "in a cohort's line: its 95 % interval",
            "▲ ▼": "the whole interval is above, or below, the Hit@50 of all users",
            "✓ ✗": "a hit and a miss",
        }
        | _TEXTS,
    ),
    "compare": Topic(
        "Two models",
        (
            "Tab 1 shows the lists of A and B for one person side by side. Tab 2 compares all "
            "users: a dot is a user, its rank in A to the right, its rank in B upwards, and a test "
            "says whether the difference is more than chance.",
        ),
        {
            "★": "the held-out {item}",
            "●": "in the picture: the user under the cursor",
            "↑": "upwards",
            "▲ ▼": "places up or down from A to B",
            "← →": "the keys that go to the other list; → also from A to B",
        }
        | _TEXTS,
    ),
    "guest": Topic(
        "A new user",
        (
            "Type a title and press Enter to pick {items} for somebody who is not in the data. The "
            "model ranks everything else for them at once; it does not change. A saved guest is "
            "in the list of users from then on.",
        ),
        _BARS
        | _PICKED
        | {
            "▲ ▼": "places up or down since the picks before",
            "◂": "the bar goes on to the left",
        }
        | _TEXTS,
    ),
    "dataset": Topic(
        "The dataset",
        (
            "What was read of which files, what was left out and why, and which interactions are "
            "held out. Tab 2 draws users, {items}, times and ratings.",
        ),
        _HISTOGRAM | _TEXTS,
    ),
}
"""The help on each screen by its area, which is that of its keys."""

WORDS: dict[str, str] = {
    "held-out {item}": "one {item} of each user that the training does not see. The model is good "
    "if it ranks this one near the top.",
    "rank": "the place of the held-out {item} among all {items} that the user has not had; 1 is "
    "the best.",
    "Hit@50": "the share of users whose held-out {item} is among the first 50.",
    "AUC": "the share of the other {items} that rank below the held-out one: 0.5 is chance, 1 is "
    "perfect.",
    "NDCG@10, MRR": "means over users that count a higher place more.",
    "validation": "another {item} of each user that the training does not learn from: it chooses "
    "the best epoch, so that the held-out one stays a fair test.",
    "popularity": "the same list for everybody, the most seen {items} first: what a model has to "
    "beat.",
    "GMF": "one of the two parts of the model: a factor of the user times the same factor of the "
    "{item}, summed. The score is GMF plus MLP.",
    "MLP": "the other part: a small neural network that reads the vectors of user and {item}.",
    "±": "half of the 95 % interval: a difference smaller than this can be chance.",
    "optimistic": "the way of training or choosing makes this figure look better than it is.",
}
"""Words that the screens use, in plain words."""
