"""The same rows from a vLLM server's prompt log-probabilities, so that no weights need to be at hand.

    vllm serve MODEL                       # elsewhere; its vocabulary must be the served model's
    python3 vllm_predictions.py http://HOST:8000 MODEL HARVEST.jsonl --tokenizer tokenizer.json --out predictions.jsonl

vLLM's completions endpoint takes token ids as a prompt and, with `prompt_logprobs`, answers for each place the likeliest tokens by id with their rank.
Needs tokenizers, and nothing else beside Python.
"""

import argparse
import json
import urllib.request

from tokenizers import Tokenizer


def pieces(path, tokenizer, length):
    """Token ids of each response, cut into pieces."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            text = row.get("response") or row.get("text")
            if not isinstance(text, str):
                continue
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            for begin in range(0, len(ids), length):
                piece = ids[begin : begin + length]
                if len(piece) > 1:
                    yield piece


def ask(url, model, piece, top, timeout):
    """`prompt_logprobs` of one piece: for each place none or {token id: {logprob, rank, …}}."""
    body = {"model": model, "prompt": piece, "max_tokens": 1, "temperature": 0, "prompt_logprobs": top}
    request = urllib.request.Request(
        url.rstrip("/") + "/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return json.load(answer)["choices"][0]["prompt_logprobs"]


def rows(piece, places, top):
    """For each place but the first: the tokens before it, and the likeliest ones by rank (the served token itself is listed too, at its own rank)."""
    for place, found in enumerate(places):
        if place == 0 or not found:
            continue
        ranked = sorted((entry["rank"], int(token)) for token, entry in found.items())
        best = [token for rank, token in ranked if rank <= top]
        if best:
            yield {"context": piece[:place], "predicted": best}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("model")
    parser.add_argument("harvest")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--top", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=600)
    args = parser.parse_args()
    tokenizer = Tokenizer.from_file(args.tokenizer)
    with open(args.out, "w", encoding="utf-8") as out:
        for piece in pieces(args.harvest, tokenizer, args.length):
            for row in rows(piece, ask(args.url, args.model, piece, args.top, args.timeout), args.top):
                out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
