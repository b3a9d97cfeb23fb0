"""What the statistics of rings cost as accounts grow: one night after a night that proposed groups.

    rings_growth.py STILLHUNT KEY WORK ACCOUNTS[xEACH]…       of so many accounts each, EACH exchanges an account and night (four), two nights

Worlds of `simulate`, one work queue of 40 accounts for every 3,000. The two nights are audited one after another; of the second are shown all
CPU-seconds, those of the stage of rings, and the most memory of the process's own (anonymous pages, looked at every 50 ms) in that stage and in all.
The stage is found by the walls of `--timings`, counted back from the end. WORK is a directory for one world at a time. Needs Linux.
"""
import json
import shutil
import subprocess
import sys
import time

program, key, work = sys.argv[1:4]
sizes = [(int(accounts), int(each or 4)) for accounts, _, each in (size.partition("x") for size in sys.argv[4:])]


def own_memory(pid):
    """Anonymous pages of a process in MiB; nothing when it is gone."""
    try:
        for line in open(f"/proc/{pid}/status"):
            if line.startswith("RssAnon"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return None


def audit(log):
    """Stages of one audit, and its memory: (seconds before the end, MiB)."""
    timings = f"{work}/timings.json"
    command = [program, "audit", log, "--store", f"{work}/store", "--key", key, "--timings", timings]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    samples = []
    while process.poll() is None:
        memory = own_memory(process.pid)
        if memory is not None:
            samples.append((time.monotonic(), memory))
        time.sleep(0.05)
    end = time.monotonic()
    assert process.returncode == 0, process.returncode
    return json.load(open(timings))["stages"], [(end - at, memory) for at, memory in samples]


print("| accounts | exchanges of the night | rings, CPU-s | all, CPU-s | memory in rings, MiB | memory, MiB | confirmed |\n|" + "---|" * 7, flush=True)
for accounts, each in sizes:
    for path in (f"{work}/world", f"{work}/store"):
        shutil.rmtree(path, ignore_errors=True)
    size = ["--accounts", str(accounts), "--exchanges", str(2 * each * accounts), "--days", "2", "--seed", "9"]
    queues = ["--queue-campaigns", str(max(1, accounts // 3000))]
    subprocess.run([program, "simulate", "--out", f"{work}/world", *size, *queues], check=True, stdout=subprocess.DEVNULL)
    audit(f"{work}/world/logs/night-1.jsonl")
    stages, samples = audit(f"{work}/world/logs/night-2.jsonl")
    cpu = {stage["stage"]: stage["cpu_s"] for stage in stages}
    after = sum(stage["wall_s"] for stage in stages[[stage["stage"] for stage in stages].index("rings") + 1 :])
    wall = next(stage["wall_s"] for stage in stages if stage["stage"] == "rings")
    within = [memory for before, memory in samples if after <= before <= after + wall]
    exchanges = sum(1 for _ in open(f"{work}/world/logs/night-2.jsonl", "rb"))
    listed = subprocess.run([program, "ring", "list", "--store", f"{work}/store", "--format", "json"], check=True, capture_output=True).stdout
    confirmed = len(json.loads(listed)["rings"])
    cells = [f"{accounts:,}", f"{exchanges:,}", f"{cpu['rings']:.1f}", f"{sum(cpu.values()):.1f}"]
    cells += [f"{max(within, default=0):,.0f}", f"{max(memory for _, memory in samples):,.0f}", str(confirmed)]
    print("| " + " | ".join(cells) + " |", flush=True)
for path in (f"{work}/world", f"{work}/store"):
    shutil.rmtree(path, ignore_errors=True)
