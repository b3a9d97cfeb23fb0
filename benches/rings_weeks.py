"""Real trolls among real people, week by week over the whole file: who is found, who could be, how soon, and which innocents are.

    rings_weeks.py DATA STILLHUNT KEY WORK [FIRST LAST [TROLLS]]      weeks of 2016, 1 to 39; at most so many troll accounts (120)

A week is seven nights, audited in one command. Trolls are accounts of one state-run operation that wrote at least three posts in that week, at the times at
which they did, drawn by the week's number where there are more. Innocent are real people, whole, at their own hours: a help channel (three of its days a night,
other ones each week), a forum, people who write to an assistant, an evening on which 7,175 accounts wrote about one event (the fourth night), and 2,000 accounts
with three interests each over real prompts (3,000 requests a night). What can be found: accounts that share three families with other trolls.
Night of detection: the night that confirmed the first ring with the account, counted from the account's first post, from 1 on. WORK is a
directory for one world at a time. Needs pyarrow.
"""
import collections
import csv
import datetime as dt
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

import pyarrow.parquet as pq

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rings_score import quantile

data, program, key, work = sys.argv[1:5]
first, last = (int(sys.argv[5]), int(sys.argv[6])) if len(sys.argv) > 6 else (1, 39)
most = int(sys.argv[7]) if len(sys.argv) > 7 else 120
NIGHTS, BEGIN = 7, dt.datetime(2026, 3, 2)


def read(name):
    return pq.read_table(f"{data}/{name}.parquet").to_pydict()


def posts(name):
    table = read("real_accounts/" + name)
    return [row for row in zip(table["account"], table["time"], table["text"]) if row[1] and row[2] and row[2].strip()]


prompts = read("prompts")
by_group = collections.defaultdict(list)
for text, kind, group, source, seen in zip(*(prompts[name] for name in ("text", "kind", "group", "source", "n_seen"))):
    if kind not in ("probe", "template", "system-template") and source != "hh-rlhf-harmless":
        by_group[group or source].append((text, seen))
groups = [group for group in by_group if len(by_group[group]) >= 3]
channel, forum, chat, event = (posts(name) for name in ("irc_ubuntu", "forum_posts_stackexchange", "assistant_chat_oasst1", "event_tweets_organic"))
trolls = collections.defaultdict(list)
for account, time, text in posts("ira_tweets_2016q1q3"):
    week = (time - dt.datetime(2016, 1, 4)).days // 7 + 1
    trolls[week].append((account, time, text))


def by_day(rows):
    days = collections.defaultdict(list)
    for row in rows:
        days[row[1].date()].append(row)
    return [days[day] for day in sorted(days)]


channel_days, forum_days, chat_days = by_day(channel), by_day(forum), by_day(chat)


def world(week, path):
    """Writes the week's log; gives who wrote what: exchange → account, account → (label, first night)."""
    draw = random.Random(week)
    rows = []

    def put(night, time, account, text, label):
        second = time.hour * 3600 + time.minute * 60 + (time.second or draw.randrange(60))
        rows.append((night, second, f"{label}{account}", text, label))

    posted = collections.Counter(account for account, _, _ in trolls[week])
    able = sorted(account for account, n in posted.items() if n >= 3)
    chosen = set(draw.sample(able, min(most, len(able))))
    for account, time, text in trolls[week]:
        if account in chosen:
            put((time - dt.datetime(2016, 1, 4)).days % 7, time, account, text, "troll")
    for night in range(NIGHTS):
        for i in range(3):
            for account, time, text in channel_days[(21 * (week - 1) + 3 * night + i) % len(channel_days)]:
                put(night, time, account, text, "organic-irc")
        for days, label in ((forum_days, "organic-forum"), (chat_days, "organic-chat")):
            for day in days[night::NIGHTS]:
                for account, time, text in day:
                    put(night, time, account, text, label)
    for account, time, text in event:
        put(3, time + dt.timedelta(hours=20), account, text, "organic-event")
    interests = [draw.sample(groups, 3) for _ in range(2000)]
    activity = [(i + 1) ** -1.0 for i in range(2000)]
    for night in range(NIGHTS):
        for account in draw.choices(range(2000), activity, k=3000):
            own = by_group[draw.choice(interests[account])]
            text = draw.choices(own, [min(seen, 50) ** 0.85 for _, seen in own])[0][0]
            second = draw.randrange(86400)
            rows.append((night, second, f"organic-prompts{account}", text, "organic-prompts"))
    rows.sort(key=lambda row: row[:3])
    exchanges, accounts = {}, {}
    with open(path, "w") as log:
        for i, (night, second, account, text, label) in enumerate(rows):
            time = (BEGIN + dt.timedelta(days=night, seconds=second)).isoformat() + "Z"
            row = {"id": f"x{i:07d}", "account": account, "time": time, "model": "m", "prompt": text, "response": "ok"}
            log.write(json.dumps(row, ensure_ascii=False) + "\n")
            exchanges[row["id"]] = account
            accounts.setdefault(account, (label, night))
    return exchanges, accounts


def export(what):
    run = subprocess.run([program, "export", what, "--store", f"{work}/store", "--key", key], capture_output=True, text=True, check=True)
    return csv.DictReader(run.stdout.splitlines())


def main():
    totals = collections.defaultdict(list)
    print("| week | exchanges | trolls | share 1, 2, 3 families | listed | of those that share 3 | of their posts | nights to detection, median, 90% | innocents listed | rings, mostly innocent | valid |")
    print("|" + "---|" * 11, flush=True)
    for week in range(first, last + 1):
        for path in ("world", "store"):
            shutil.rmtree(f"{work}/{path}", ignore_errors=True)
        os.makedirs(f"{work}/world")
        exchanges, accounts = world(week, f"{work}/world/log.jsonl")
        command = [program, "audit", f"{work}/world/log.jsonl", "--store", f"{work}/store", "--key", key]
        subprocess.run(command, check=True, capture_output=True)
        name_of, families = {}, collections.defaultdict(set)
        for row in export("members"):
            name_of[row["account"]] = account = exchanges[row["exchange_id"]]
            if accounts[account][0] == "troll":
                families[row["family_id"]].add(account)
        shared = collections.Counter(account for own in families.values() if len(own) >= 2 for account in own)
        rings, night_of = collections.defaultdict(list), {}
        for row in export("rings"):
            account = name_of.get(row["account"], "?")
            rings[row["ring_id"]].append(account)
            night = (dt.date.fromisoformat(row["confirmed_night"][:10]) - BEGIN.date()).days
            night_of[account] = min(night, night_of.get(account, night))
        of_trolls = {account for account, (label, _) in accounts.items() if label == "troll"}
        able = {account for account, n in shared.items() if n >= 3}
        listed = of_trolls & set(night_of)
        wrong = collections.Counter(accounts.get(account, ("unknown",))[0] for account in night_of if account not in of_trolls)
        posts_of = collections.Counter(account for account in exchanges.values() if account in of_trolls)
        carried = sum(posts_of[account] for account in listed) / max(1, sum(posts_of.values()))
        delays = [night_of[account] - accounts[account][1] + 1 for account in listed]
        innocent = sum(2 * sum(account not in of_trolls for account in own) > len(own) for own in rings.values())
        meta = json.loads(subprocess.run([program, "ring", "list", "--store", f"{work}/store", "--format", "json"], check=True, capture_output=True).stdout)
        valid = meta["rings_meta"]["valid"]
        ceiling = [sum(n >= least for n in shared.values()) for least in (1, 2, 3)]
        late = f"{quantile(delays, 0.5):.0f}, {quantile(delays, 0.9):.0f}" if delays else ""
        cells = [week, f"{len(exchanges):,}", len(of_trolls), ", ".join(map(str, ceiling)), len(listed), f"{len(listed & able)} of {len(able)}"]
        cells += [f"{carried:.2f}", late, dict(wrong) or 0, f"{len(rings)}, {innocent}", "yes" if valid else "no"]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
        totals["trolls listed"].append(len(listed) / max(1, len(of_trolls)))
        totals["trolls that share three families, listed"].append(len(listed & able) / max(1, len(able)))
        totals["posts of listed trolls"].append(carried)
        totals["trolls that share three families"].append(len(able) / max(1, len(of_trolls)))
        totals["innocent accounts listed"].append(sum(wrong.values()))
        totals["rings mostly innocent"].append(innocent)
        if night_of:
            totals["accounts listed that are right, of weeks with any"].append(len(listed) / len(night_of))
        totals["list valid"].append(valid)
        totals["delays"] += delays
    delays = totals.pop("delays")
    print("\n| | mean over weeks | middle 95% |\n|---|---|---|")
    for name, values in totals.items():
        print(f"| {name} | {sum(values) / len(values):.3f} | {quantile(values, 0.025):.3f} to {quantile(values, 0.975):.3f} |")
    spread = collections.Counter(delays)
    print("\nnights to detection of listed trolls: " + ", ".join(f"{night}: {spread[night]}" for night in sorted(spread)))


if __name__ == "__main__":
    main()
