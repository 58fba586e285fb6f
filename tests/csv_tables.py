"""Tables in CSV files as people have them, drawn from a seed."""

from __future__ import annotations

import numpy as np


def passengers(rows=300, seed=0, missing=True):
    """Who survived a shipwreck: numbers, texts, names, missing cells; as a list of columns, by name."""
    random = np.random.default_rng(seed)
    sex = random.choice(["male", "female"], rows)
    grade = random.choice([1, 2, 3], rows, p=[0.25, 0.2, 0.55])
    age = random.integers(1, 80, rows).astype(str)
    port = random.choice(["S", "C", "Q"], rows, p=[0.7, 0.2, 0.1])
    if missing:
        age[random.random(rows) < 0.2] = ""
        port[random.random(rows) < 0.02] = ""
    chance = 1 / (1 + np.exp(-(2.5 * (sex == "female") - 0.9 * (grade - 2) - 1.0)))
    return {
        "survived": np.where(random.random(rows) < chance, "yes", "no").tolist(),
        "class": grade.astype(str).tolist(),
        "name": [f"Person, Mr. {number}" for number in range(rows)],
        "sex": sex.tolist(),
        "age": age.tolist(),
        "fare": [f"{fare:.2f}" for fare in random.exponential(30, rows) / grade],
        "port": port.tolist(),
        "ship": ["Titanic"] * rows,
    }


def written(columns, separator=",", decimal="."):
    """A table as text. Fields with a separator in them get quotation marks."""

    def field(text):
        number = text.replace(".", "", 1).replace("-", "", 1).isdigit()
        text = text.replace(".", decimal) if number else text
        return f'"{text}"' if separator in text else text

    rows = [list(columns), *zip(*columns.values(), strict=True)]
    return "".join(separator.join(map(field, row)) + "\n" for row in rows)
