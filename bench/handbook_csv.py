"""Payments with the columns of topologies/handbook.yaml, as CSV: customers with habits of their own,
who pay every few hours, and the handbook's three kinds of fraud. Seeded.

    python3 handbook_csv.py FILE.csv[.gz] --rows 1000000
"""

import argparse
import gzip
import heapq
import random

DAY_S = 86400
CUSTOMERS = 5000
TERMINALS = 10000
LARGE_CENTS = 22000


class Customer:
    def __init__(self, number, draw):
        self.number = number
        self.mean_cents = draw.uniform(500, 10000)
        self.pause_s = DAY_S / draw.uniform(0.2, 4)
        self.stolen_until = 0

    def amount(self, draw):
        return max(1, int(abs(draw.gauss(self.mean_cents, self.mean_cents / 2))))


def payments(rows, seed):
    """(second, customer, terminal, cents, scenario), in order of time."""
    draw = random.Random(seed)
    customers = [Customer(number, draw) for number in range(CUSTOMERS)]
    queue = [(int(draw.uniform(0, each.pause_s)), each.number) for each in customers]
    heapq.heapify(queue)
    for _ in range(rows):
        second, number = heapq.heappop(queue)
        customer = customers[number]
        heapq.heappush(queue, (second + 1 + int(draw.expovariate(1 / customer.pause_s)), number))
        if draw.random() < 1e-4:
            customer.stolen_until = second + 14 * DAY_S
        cents, scenario = customer.amount(draw), 0
        if second < customer.stolen_until and draw.random() < 1 / 3:
            cents, scenario = 5 * cents, 3
        elif cents > LARGE_CENTS:
            scenario = 1
        yield second, number, draw.randrange(TERMINALS), cents, scenario


def write(path, rows, seed=1):
    opened = gzip.open(path, "wt", compresslevel=6) if str(path).endswith(".gz") else open(path, "w")
    with opened as out:
        out.write("tx_id,ts_s,customer,terminal,amount_cents,fraud,scenario\n")
        for number, (second, customer, terminal, cents, scenario) in enumerate(payments(rows, seed)):
            out.write(f"{number},{second},{customer},{terminal},{cents},{int(scenario > 0)},{scenario}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--rows", type=int, default=1000000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    write(given.file, given.rows, given.seed)
