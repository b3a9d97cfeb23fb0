"""What a model with open weights expects after each token of served text: rows for `stillhunt radioactivity open`.

    python3 transformers_predictions.py MODEL HARVEST.jsonl --tokenizer tokenizer.json --out predictions.jsonl

MODEL is a directory or a name that transformers can load (its own vocabulary must be the served model's, since predictions are token ids). HARVEST
has rows with `response` (a log of served exchanges) or `text`. Each response is cut into pieces of --length tokens, which the model reads once; a row
is written for each place: all tokens of the piece before it, and the --top likeliest tokens, likeliest first. Needs torch, transformers and tokenizers.
"""

import argparse
import json

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM


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


def predictions(model, piece, top):
    """For each place of a piece but the first: the tokens before it, and what the model expects."""
    with torch.no_grad():
        logits = model(torch.tensor([piece], device=model.device)).logits[0, :-1]
    for place, best in enumerate(logits.topk(top).indices.tolist(), 1):
        yield {"context": piece[:place], "predicted": best}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("harvest")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--top", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    tokenizer = Tokenizer.from_file(args.tokenizer)
    model = AutoModelForCausalLM.from_pretrained(args.model).to(args.device).eval()
    with open(args.out, "w", encoding="utf-8") as out:
        for piece in pieces(args.harvest, tokenizer, args.length):
            for row in predictions(model, piece, args.top):
                out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
