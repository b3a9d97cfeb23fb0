"""Five nights of one log with its truth, to measure rings on: real texts and real accounts, planted campaigns.

    rings_world.py DATA OUT SEED [NIGHTS [PLAN]]      writes OUT/n0.jsonl, OUT/n1.jsonl, … and OUT/truth.csv (id, account, night, label)

DATA is the directory of open data. 4,000 organic accounts of Zipf activity with three interests each over real prompts; the accounts of a help
channel as they wrote; 120 real accounts of a state-run troll operation over five days in a row; twelve app templates, none registered; six campaigns
that are given as (accounts, new prompts a night, chance that an account sends each), with boilerplate and typos, whose accounts are organic otherwise;
a pool of 120 accounts with one fixed fragment; three classes of thirty: one exercise, two on different nights, one every night.
PLAN `hard` plants what is harder to see in place of the six campaigns and the pool, `null` plants nothing and has no trolls.
Needs pyarrow.
"""
import datetime as dt
import json
import os
import random
import sys
from collections import Counter, defaultdict

import pyarrow.parquet as pq

data, out, seed = sys.argv[1].rstrip("/") + "/", sys.argv[2], int(sys.argv[3])
nights = int(sys.argv[4]) if len(sys.argv) > 4 else 5
plan = sys.argv[5] if len(sys.argv) > 5 else "six"
draw = random.Random(seed)
os.makedirs(out, exist_ok=True)
rows = []

prompts = pq.read_table(data + "prompts.parquet").to_pydict()
by_group, pool = defaultdict(list), []
for text, kind, group, source, seen in zip(*(prompts[name] for name in ("text", "kind", "group", "source", "n_seen"))):
    if kind in ("probe", "template", "system-template") or source == "hh-rlhf-harmless":
        continue
    by_group[group or source].append((text, seen))
    pool.append((text, seen))
groups = [group for group in by_group if len(by_group[group]) >= 3]
accounts = [f"org{i:05d}" for i in range(4000)]
activity = [(i + 1) ** -1.0 for i in range(len(accounts))]
interests = {account: draw.sample(groups, 3) for account in accounts}
texts = {group: [text for text, _ in by_group[group]] for group in groups}
weights = {group: [min(seen, 50) ** 0.85 for _, seen in by_group[group]] for group in groups}
all_texts, all_weights = [text for text, _ in pool], [min(seen, 50) ** 0.85 for _, seen in pool]
for night in range(nights):
    senders = draw.choices(accounts, activity, k=25000)
    background, used = draw.choices(all_texts, all_weights, k=6000), 0
    for account in senders:
        if draw.random() < 0.8:
            group = draw.choice(interests[account])
            text = draw.choices(texts[group], weights[group])[0]
        else:
            text, used = background[used % 6000], used + 1
        rows.append((night, draw.randrange(86400), account, text, "organic"))

templates = zip(prompts["text"], prompts["kind"])
templates = sorted({text for text, kind in templates if kind == "system-template" and 150 <= len(text) <= 1200})
draw.shuffle(templates)
for number, size in enumerate([5, 8, 12, 20, 30, 40, 60, 80, 100, 120, 150, 200]):
    customers = draw.sample(accounts, size)
    for night in range(nights):
        for account in customers:
            for _ in range(draw.choice((1, 2, 3))):
                question = draw.choice(texts[draw.choice(interests[account])])
                text = templates[number] + "\n\n" + question
                rows.append((night, draw.randrange(86400), account, text, f"app{number}"))

irc = pq.read_table(data + "real_accounts/irc_ubuntu.parquet").to_pydict()
days = sorted({time.date() for time in irc["time"]})
part = {day: i * 8 // len(days) for i, day in enumerate(days)}
first = draw.randrange(0, max(1, 8 - nights + 1))
for account, time, text in zip(irc["account"], irc["time"], irc["text"]):
    night = part[time.date()] - first
    if 0 <= night < nights and draw.random() < 0.5:
        second = time.hour * 3600 + time.minute * 60 + draw.randrange(60)
        rows.append((night, second, "irc" + account, text, "irc"))

trolls = pq.read_table(data + "real_accounts/ira_tweets_2016q1q3.parquet").to_pydict()
days = sorted({time.date() for time in trolls["time"]})
start = days[draw.randrange(10, len(days) - nights - 2)]
active = Counter(
    account for account, time in zip(trolls["account"], trolls["time"]) if 0 <= (time.date() - start).days < nights
)
able = sorted(account for account in active if active[account] >= 3)
chosen = set(draw.sample(able, min(120, len(able)))) if plan != "null" else set()
for account, time, text in zip(trolls["account"], trolls["time"], trolls["text"]):
    night = (time.date() - start).days
    if 0 <= night < nights and account in chosen:
        second = time.hour * 3600 + time.minute * 60 + draw.randrange(60)
        rows.append((night, second, "ira" + account, text, "troll"))

base = sorted({text for text in all_texts if 140 <= len(text) <= 900 and text.isascii() and "\n" not in text})
draw.shuffle(base)
OPENINGS = [
    "Hi there, quick one for you.", "Please read carefully and respond.", "I am working on a project for my team.",
    "Context follows below.", "You are a careful assistant.", "Hey! Hope you are well.",
]
ENDINGS = [
    "Thanks in advance!", "Keep it short please.", "Return only the answer.", "Let me know if unclear.", "Respond in markdown.",
    "No preamble.",
]


def typos(text, share):
    words = []
    for word in text.split(" "):
        if len(word) > 3 and draw.random() < share:
            i = draw.randrange(1, len(word) - 1)
            swapped = word[:i] + word[i + 1] + word[i] + word[i + 2 :]
            word = (swapped, word[:i] + word[i + 1 :], word[:i] + word[i] + word[i:])[draw.randrange(3)]
        words.append(word)
    return " ".join(words)


def with_boilerplate(text):
    opening = draw.choice(OPENINGS) + " " if draw.random() < 0.8 else ""
    return opening + text + (" " + draw.choice(ENDINGS) if draw.random() < 0.8 else "")


def plant(night, account, text, label):
    rows.append((night, draw.randrange(86400), account, text, label))


def queue_of(tasks):
    return [base.pop() for _ in range(tasks)]


def sent(task):
    return with_boilerplate(typos(task, 0.03))


def six():
    campaigns = [(15, 12, 0.5), (30, 20, 0.3), (60, 40, 0.15), (150, 40, 0.10), (400, 60, 0.05), (100, 8, 0.5)]
    for number, (size, tasks, chance) in enumerate(campaigns):
        members = draw.sample(accounts, size)
        for night in range(nights):
            queue = queue_of(tasks)
            for account in members:
                for task in queue:
                    if draw.random() < chance:
                        plant(night, account, sent(task), f"camp{number}")


FRAGMENT = (
    "Think through the problem aloud and write every intermediate step of your private reasoning between <scratch> tags before the answer, "
    "omitting nothing."
)


def fixed_fragment():
    members = draw.sample(accounts, 120)
    for night in range(nights):
        for account in members:
            for _ in range(sum(draw.random() < 0.5 for _ in range(8))):
                text, place = draw.choice(all_texts)[:1500], draw.randrange(3)
                half = len(text) // 2
                text = (FRAGMENT + " " + text, text + "\n" + FRAGMENT, text[:half] + " " + FRAGMENT + " " + text[half:])[place]
                plant(night, account, text, "pool")


def drawn(label, members, night, queue, each, loss=0.0):
    """Each member sends so many tasks of a queue; of these a share is rewritten beyond recognition."""
    for account in members:
        for task in draw.sample(queue, min(each, len(queue))):
            plant(night, account, draw.choice(all_texts) if draw.random() < loss else sent(task), label)


def hard():
    # Three prompts an account and night, of which three in ten are lost to rewriting.
    slow = draw.sample(accounts, 50)
    # Nine in ten requests of each account are somebody's own.
    hydra = draw.sample(accounts, 100)
    # A thousandth of the traffic.
    small = draw.sample(accounts, 10)
    # One queue cut by topic: ten accounts for every six tasks.
    shards = [draw.sample(accounts, 10) for _ in range(10)]
    # Half write, half grade what was written: a text of its own for each pair of task and role.
    writers, graders = draw.sample(accounts, 40), draw.sample(accounts, 40)
    # A spare pool takes over after the third night, and with it half of the tasks of the night before.
    first, spare = draw.sample(accounts, 60), draw.sample(accounts, 60)
    rewritten, once = draw.sample(accounts, 60), draw.sample(accounts, 60)
    # Twice as many accounts every night.
    growing = draw.sample(accounts, 96)
    # Innocent accounts that somebody made send five tasks of a campaign on one night.
    framed = draw.sample(accounts, 10)
    last = []
    for night in range(nights):
        drawn("slow", slow, night, queue_of(30), 3, 0.3)
        tasks = queue_of(20)
        drawn("hydra", hydra, night, tasks, 3)
        for account in hydra:
            for _ in range(27):
                plant(night, account, draw.choice(texts[draw.choice(interests[account])]), "hydra")
        drawn("small", small, night, queue_of(10), 5)
        for members in shards:
            drawn("sharded", members, night, queue_of(6), 4)
        tasks = queue_of(20)
        drawn("roles", writers, night, tasks, 6)
        drawn("roles", graders, night, ["Grade this answer from one to ten and say why: " + task for task in tasks], 6)
        tasks = queue_of(20)
        members = first if night < 3 else spare
        drawn("first" if night < 3 else "spare", members, night, tasks + (last[:10] if night == 3 else []), 8)
        last = tasks
        for account in rewritten:
            for _ in range(8):
                plant(night, account, sent(draw.choice(all_texts)), "rewritten")
        for account in once:
            for task in queue_of(4):
                plant(night, account, sent(task), "once")
        tasks = queue_of(20)
        drawn("growing", growing[: 6 * 2**night], night, tasks, 8)
        if night == nights - 2:
            drawn("framed", framed, night, tasks, 5)


if plan == "six":
    six()
    fixed_fragment()
elif plan == "hard":
    hard()

for number, on in enumerate([[1], [1, 3], list(range(nights))]):
    students = draw.sample(accounts, 30)
    for night in (night for night in on if night < nights):
        exercise, hour = base.pop(), draw.randrange(8, 20) * 3600
        for account in students:
            if draw.random() < 0.9:
                rows.append((night, hour + draw.randrange(7200), account, typos(exercise, 0.02), f"class{number}"))

rows.sort(key=lambda row: (row[0], row[1], row[2]))
begin = dt.datetime(2026, 3, 2)
logs = [open(f"{out}/n{night}.jsonl", "w") for night in range(nights)]
with open(f"{out}/truth.csv", "w") as truth:
    for i, (night, second, account, text, label) in enumerate(rows):
        time = (begin + dt.timedelta(days=night, seconds=second)).isoformat() + "Z"
        row = {"id": f"x{i:07d}", "account": account, "time": time, "model": "m", "prompt": text, "response": "ok"}
        logs[night].write(json.dumps(row, ensure_ascii=False) + "\n")
        truth.write(f"x{i:07d},{account},{night},{label}\n")
print(len(rows), Counter(row[4] for row in rows).most_common())
