"""Prints random test vectors in the format of ``vectors/crypto-vectors.json``; the same seed gives the same file.

    python3 make_vectors.py --seed N --cases N > file.json

Kinds of vectors take turns, so that a thousand cases hold about thirty of each.
"""

import argparse
import itertools
import json
import sys
from collections import Counter
from random import Random

from makers import blocks, codes, dukpt, pins
from makers.common import Maker, Vector

MAKERS: tuple[Maker, ...] = (*pins.MAKERS, *codes.MAKERS, *dukpt.MAKERS, *blocks.MAKERS)
MOST_CASES = 100_000
CONVENTIONS = (
    "hex upper-case; PAN includes the check digit; published=false: random inputs; negative=true: must be refused"
)


def make(seed: int, cases: int) -> dict[str, object]:
    """The file."""
    random, numbers = Random(seed), Counter[str]()
    vectors: list[Vector] = []
    for maker in itertools.islice(itertools.cycle(MAKERS), cases):
        made = maker(random)
        numbers[made["group"]] += 1
        vectors.append({"id": f"{made['group']}-{seed}-{numbers[made['group']]:03}"} | made)
    return {"meta": {"conventions": CONVENTIONS, "seed": seed, "cases": cases}, "vectors": vectors}


def main() -> int:
    """0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--cases", type=int, required=True)
    options = parser.parse_args()
    if not 1 <= options.cases <= MOST_CASES:
        parser.error(f"--cases must be 1 to {MOST_CASES}")
    json.dump(make(options.seed, options.cases), sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
