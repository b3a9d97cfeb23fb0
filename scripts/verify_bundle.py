#!/usr/bin/env python3
"""Checks an evidence bundle of stillhunt without stillhunt: signature, statement, manifest, every file, tree.

    python3 -m pip install blake3 cryptography
    python3 verify_bundle.py DIR PUB.pem

Exit status 0 when all holds; 2 with "step: NAME" at the first fault. The public key must not come from the bundle.
"""

import base64
import hashlib
import json
import os
import sys

from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

TYPE = "application/vnd.in-toto+json"
APART = {"envelope.dsse.json", "manifest.json", "timestamp.tsr", "timestamp.dsse.json"}


def fail(step, why):
    print(f"step: {step}\n{why}", file=sys.stderr)
    sys.exit(2)


def read(root, name, step="layout"):
    path = os.path.join(root, *name.split("/"))
    if os.path.islink(path) or not os.path.isfile(path):
        fail(step, f"expected an ordinary file {name}")
    with open(path, "rb") as file:
        return file.read()


def opened(root, name, key, step):
    """The payload of an envelope that `key` signed."""
    name_of_key = blake3(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    try:
        data = read(root, name)
        envelope = json.loads(data)
        if data != (json.dumps(envelope, indent=2, ensure_ascii=False) + "\n").encode():
            fail("envelope", "expected the envelope in the form in which it was written")
        payload = base64.b64decode(envelope["payload"], validate=True)
        (signature,) = envelope["signatures"]
        signed = b"DSSEv1 %d %s %d %s" % (len(TYPE), TYPE.encode(), len(payload), payload)
        if (envelope["payloadType"], signature["keyid"]) != (TYPE, name_of_key):
            fail("signature", "expected another type, or the name of another key")
        key.verify(base64.b64decode(signature["sig"], validate=True), signed)
        return json.loads(payload)
    except InvalidSignature:
        fail(step, "another key signed it, or it was changed")
    except (ValueError, KeyError, TypeError) as cause:
        fail("envelope", f"expected a DSSE envelope with one signature: {cause}")


def subject(data):
    return {"blake3": blake3(data).hexdigest(), "sha256": hashlib.sha256(data).hexdigest()}


def tree(files):
    level = [blake3(b"\0" + f["name"].encode() + b"\0" + bytes.fromhex(f["blake3"])).digest() for f in files]
    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [blake3(b"\1" + p[0] + p[1]).digest() if len(p) == 2 else p[0] for p in pairs]
    return level[0].hex()


def main(root, public):
    with open(public, "rb") as file:
        key = load_pem_public_key(file.read())
    statement = opened(root, "envelope.dsse.json", key, "signature")
    if (statement["_type"], statement["predicateType"]) != ("https://in-toto.io/Statement/v1", "urn:stillhunt:evidence:1"):
        fail("statement", "expected an in-toto statement about an evidence bundle")
    manifest_bytes = read(root, "manifest.json")
    if statement["subject"] != [{"name": "manifest.json", "digest": subject(manifest_bytes)}]:
        fail("manifest", "the statement is about another manifest")
    manifest = json.loads(manifest_bytes)
    for entry in manifest["files"]:
        step = "file:" + entry["name"]
        data = read(root, entry["name"], step)
        if (len(data), blake3(data).hexdigest()) != (entry["bytes"], entry["blake3"]):
            fail(step, "another length or another digest than the manifest says")
    there = {os.path.relpath(os.path.join(at, f), root).replace(os.sep, "/") for at, _, fs in os.walk(root) for f in fs}
    for name in sorted(there - APART - {entry["name"] for entry in manifest["files"]}):
        fail("file:" + name, "the manifest does not name it")
    if not manifest["tree"] == statement["predicate"]["tree"] == tree(manifest["files"]):
        fail("tree", "another root than manifest and statement say")
    if "timestamp.tsr" in there:
        about = opened(root, "timestamp.dsse.json", key, "timestamp")
        if about["subject"][0] != {"name": "timestamp.tsr", "digest": subject(read(root, "timestamp.tsr"))}:
            fail("timestamp", "the signer vouches for another token")
        print("check the authority of the timestamp with openssl ts -verify")
    print(f"verified: {len(manifest['files'])} files, tree {manifest['tree']}, made {statement['predicate']['made']}")


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) == 3 else sys.exit(__doc__)
