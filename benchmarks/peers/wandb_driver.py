"""Writes an offline run of wandb whose curves get two points a second, until it is ended.

python wandb_driver.py FOLDER CURVES
"""

import random
import sys
import time

import wandb


def main() -> None:
    folder, curves = sys.argv[1], int(sys.argv[2])
    run = wandb.init(
        mode="offline",
        project="bytes",
        dir=folder,
        settings=wandb.Settings(silent=True, x_disable_stats=True),
    )
    for number in range(1, 1_000_000):
        loss, hit, auc = (
            0.69 / (1 + number / 40),
            0.36 - 0.15 / (1 + number / 10),
            0.88 - 0.3 / (1 + number / 5),
        )
        means = {"loss": (loss, 0.01), "hit50": (hit, 0.004), "auc": (auc, 0.002)}
        values = {name: random.gauss(mean, deviation) for name, (mean, deviation) in means.items()}
        if curves == 5:
            values |= {
                "validation_hit50": values["hit50"] + random.gauss(0.03, 0.004),
                "validation_auc": values["auc"] + 0.02,
            }
        run.log(values)
        if number > 100:
            time.sleep(0.5)


main()
