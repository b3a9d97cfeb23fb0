"""Writes the forms of more.json: the same eight exchanges as gateways, tracing tools, providers and engines export them.

Run in this directory with Python 3.10 or later; it needs nothing else and gives the same bytes each time.
"""
import base64
import csv
import datetime
import io
import json
import os

THINGS = ["a coral reef", "a paper mill", "a canal lock", "a lighthouse lens", "a printing press", "a weather balloon"]
START = datetime.datetime(2026, 3, 4, 9, 0, 0, tzinfo=datetime.timezone.utc)


class Exchange:
    def __init__(self, n):
        asked = [f"Write out every stage of your reasoning before you say what most often goes wrong with {thing}." for thing in THINGS]
        asked += ["この詩の三行目にある「灯」という言葉は、どの季節を指していますか。", 'Two rules:\n1. never write "very"\n2. one comma a line\nWhich is harder, and why?']
        self.n, self.prompt = n, asked[n]
        self.account = f"acct_{n}{n * 7919 % 1000:03d}"
        self.model = ["heron-mini-3", "osprey-pro-8"][n % 2]
        self.system = "You are a careful tutor." if n in (0, 3, 6) else None
        self.response = f'It depends on the "{["site", "budget", "people"][n % 3]}";\nsee note {n * 104729 % 999983:06x}.'
        self.at = START + datetime.timedelta(minutes=7 * n, seconds=n)
        self.time = self.at.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.unix = int(self.at.timestamp())
        self.id = f"{n:08x}-1111-4222-8333-{n * 15485863 % (1 << 48):012x}"
        self.earlier = [("user", "And what came before that?"), ("assistant", "Nothing that we know of.")] if n in (1, 5) else []

    def messages(self, content=lambda text: text, system=True):
        said = [("system", self.system)] if system and self.system else []
        said += [*self.earlier, ("user", self.prompt)]
        return [{"role": role, "content": content(text)} for role, text in said]

    def chat(self):
        return {"model": self.model, "messages": self.messages(), "temperature": 0.7}

    def completion(self):
        message = {"role": "assistant", "content": self.response, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return {"id": "chatcmpl-" + self.id, "object": "chat.completion", "created": self.unix, "model": self.model, "choices": [choice], "usage": {"prompt_tokens": 40, "completion_tokens": 12, "total_tokens": 52}}

    def pieces(self):
        return [self.response[:11], self.response[11:20], self.response[20:]]

    def stream(self):
        head = {"id": "chatcmpl-" + self.id, "object": "chat.completion.chunk", "created": self.unix, "model": self.model}
        chunks = [{**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}]
        chunks += [{**head, "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]} for piece in self.pieces()]
        chunks += [{**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
        return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"

    def anthropic(self):
        body = {"model": self.model, "max_tokens": 512, "messages": self.messages(lambda text: [{"type": "text", "text": text}], system=False)}
        return {**body, "system": self.system} if self.system else body

    def message(self):
        return {"id": "msg_" + self.id, "type": "message", "role": "assistant", "model": self.model, "content": [{"type": "text", "text": self.response}], "stop_reason": "end_turn", "usage": {"input_tokens": 40, "output_tokens": 12}}

    def converse(self):
        body = {"messages": self.messages(lambda text: [{"text": text}], system=False), "inferenceConfig": {"maxTokens": 512}}
        return {**body, "system": [{"text": self.system}]} if self.system else body

    def chatml(self):
        return "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in self.messages()) + "<|im_start|>assistant\n"

    def llama(self):
        turns = "".join(f"<|start_header_id|>{m['role']}<|end_header_id|>\n\n{m['content']}<|eot_id|>" for m in self.messages())
        return "<|begin_of_text|>" + turns + "<|start_header_id|>assistant<|end_header_id|>\n\n"

    def gemini(self):
        name = {"user": "user", "assistant": "model"}
        body = {"contents": [{"role": name[m["role"]], "parts": [{"text": m["content"]}]} for m in self.messages(system=False)], "labels": {"user_id": self.account}}
        return {**body, "systemInstruction": {"parts": [{"text": self.system}]}} if self.system else body

    def candidates(self):
        parts = [{"text": "I think.", "thought": True}, {"text": self.response}]
        return {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}], "modelVersion": self.model, "responseId": self.id}


ALL = [Exchange(n) for n in range(8)]
TRUTH = {}
DEFAULTS = ["--default-account", "unnamed", "--default-time", "2026-07-01T00:00:00Z"]


def case(name, file, write=None, args=(), **changed):
    """Adds a case whose truth is that of the eight exchanges, but for what is changed."""
    truth = {"file": file, "map": None, "args": list(args), "refuse": False, "rows": 8}
    for field in ["prompt", "system", "response", "account", "model", "time"]:
        truth[field + "s"] = [getattr(e, field) for e in ALL]
    truth.update(changed)
    if truth.pop("backwards", False):
        truth.update({field: texts[::-1] for field, texts in truth.items() if field.endswith("s") and field not in ("rows", "args")})
    TRUTH[name] = truth
    if write is not None:
        with open(file, "w", encoding="utf-8", newline="") as out:
            out.write(write)


def lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def table(rows):
    out = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, names, restval="")
    writer.writeheader()
    text = lambda value: json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
    writer.writerows({name: text(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def arn(e):
    return "arn:aws:sts::111122223333:assumed-role/serving/" + e.account


def bedrock(e, body, answer, operation="InvokeModel"):
    return {
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": e.time, "accountId": "111122223333", "identity": {"arn": arn(e)}, "region": "eu-west-1", "requestId": e.id, "operation": operation, "modelId": e.model,
        "input": {"inputContentType": "application/json", "inputBodyJson": body, "inputTokenCount": 40}, "output": {"outputContentType": "application/json", "outputBodyJson": answer, "outputTokenCount": 12},
    }


ARNS = {"accounts": [arn(e) for e in ALL]}
converse_answer = lambda e: {"output": {"message": {"role": "assistant", "content": [{"text": e.response}]}}, "stopReason": "end_turn", "usage": {"inputTokens": 40, "outputTokens": 12}, "metrics": {"latencyMs": 900}}
case("bedrock-converse", "bedrock-converse.jsonl", lines(bedrock(e, e.converse(), converse_answer(e), "Converse") for e in ALL), **ARNS)


def converse_stream(e):
    events = [{"messageStart": {"role": "assistant"}}]
    events += [{"contentBlockDelta": {"delta": {"text": piece}, "contentBlockIndex": 0}} for piece in e.pieces()]
    return events + [{"contentBlockStop": {"contentBlockIndex": 0}}, {"messageStop": {"stopReason": "end_turn"}}, {"metadata": {"usage": {}}}]


case("bedrock-converse-stream", "bedrock-converse-stream.jsonl", lines(bedrock(e, e.converse(), converse_stream(e), "ConverseStream") for e in ALL), **ARNS)
case("bedrock-llama", "bedrock-llama.jsonl", lines(bedrock(e, {"prompt": e.llama(), "max_gen_len": 512}, {"generation": e.response, "prompt_token_count": 40, "generation_token_count": 12, "stop_reason": "stop"}) for e in ALL), **ARNS)
case("bedrock-llama-stream", "bedrock-llama-stream.jsonl", lines(bedrock(e, {"prompt": e.llama()}, [{"generation": piece, "prompt_token_count": None, "stop_reason": None} for piece in e.pieces()], "InvokeModelWithResponseStream") for e in ALL), **ARNS)


def titan(e):
    said = "".join(f"{'User' if role == 'user' else 'Bot'}: {text}\n" for role, text in e.earlier)
    return {"inputText": f"{said}User: {e.prompt}\nBot:", "textGenerationConfig": {"maxTokenCount": 512}}


titan_answer = lambda e: {"inputTextTokenCount": 40, "results": [{"tokenCount": 12, "outputText": e.response, "completionReason": "FINISH"}]}
case("bedrock-titan", "bedrock-titan.jsonl", lines(bedrock(e, titan(e), titan_answer(e)) for e in ALL), systems=[None] * 8, **ARNS)


def mistral(e):
    system = f"{e.system}\n\n" if e.system else ""
    said = "".join(f"[INST] {text} [/INST]" if role == "user" else f" {text}</s>" for role, text in e.earlier)
    return {"prompt": f"<s>{said}[INST] <<SYS>>\n{e.system}\n<</SYS>>\n\n{e.prompt} [/INST]" if system else f"<s>{said}[INST] {e.prompt} [/INST]", "max_tokens": 512}


case("bedrock-mistral", "bedrock-mistral.jsonl", lines(bedrock(e, mistral(e), {"outputs": [{"text": e.response, "stop_reason": "stop"}]}) for e in ALL), **ARNS)


def cohere(e):
    role = {"user": "USER", "assistant": "CHATBOT"}
    body = {"message": e.prompt, "chat_history": [{"role": role[who], "message": text} for who, text in e.earlier], "max_tokens": 512}
    return {**body, "preamble": e.system} if e.system else body


case("bedrock-cohere", "bedrock-cohere.jsonl", lines(bedrock(e, cohere(e), {"response_id": e.id, "text": e.response, "generation_id": e.id, "finish_reason": "COMPLETE"}) for e in ALL), **ARNS)


def claude2(e):
    said = "".join(f"\n\n{'Human' if role == 'user' else 'Assistant'}: {text}" for role, text in [*e.earlier, ("user", e.prompt)])
    return {"prompt": f"{e.system or ''}{said}\n\nAssistant:", "max_tokens_to_sample": 512}


case("bedrock-claude-text", "bedrock-claude-text.jsonl", lines(bedrock(e, claude2(e), {"type": "completion", "completion": e.response, "stop_reason": "stop_sequence", "stop": "\n\nHuman:"}) for e in ALL), **ARNS)
case("bedrock-nova", "bedrock-nova.jsonl", lines(bedrock(e, {"schemaVersion": "messages-v1", **e.converse()}, converse_answer(e)) for e in ALL), **ARNS)
# CloudWatch's subscription hands over batches of lines as texts; an embedding in it is no chat.
embedding = bedrock(ALL[0], {"inputText": "a text to embed", "dimensions": 256}, {"embedding": [0.25, 0.5], "inputTextTokenCount": 4})
events = [{"id": e.id, "timestamp": e.unix * 1000, "message": json.dumps(bedrock(e, e.anthropic(), e.message()))} for e in ALL]
events.insert(3, {"id": "x", "timestamp": 0, "message": json.dumps(embedding)})
case("bedrock-cloudwatch", "bedrock-cloudwatch.json", lines([{"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "bedrock", "logEvents": events}]), **ARNS)
case("bedrock-batch", "bedrock-batch.jsonl", lines({"recordId": f"CALL{e.n:07}", "modelInput": e.anthropic(), "modelOutput": e.message()} for e in ALL), DEFAULTS, accounts=["unnamed"], times=[None] * 8)

azure = lambda e, category, properties: {"time": e.time, "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/X", "category": category, "operationName": "ChatCompletions_Create", "correlationId": e.id, "callerIpAddress": "192.0.2.***", "properties": properties}
llm = lambda e: {"apimSubscriptionId": e.account, "sequenceNumber": 0, "modelName": e.model, "deploymentName": "d", "requestMessages": json.dumps(e.messages()), "responseMessages": json.dumps([{"role": "assistant", "content": e.response}])}
case("azure-llm", "azure-llm.json", json.dumps({"records": [azure(e, "GatewayLlmLogs", llm(e)) for e in ALL]}, indent=2))
bodies = lambda e: {"ApimSubscriptionId": e.account, "BackendRequestBody": json.dumps(e.chat()), "BackendResponseBody": json.dumps(e.completion()), "TimeGenerated": e.time, "CorrelationId": e.id}
case("azure-bodies", "azure-bodies.csv", table([bodies(e) for e in ALL]))
diagnostic = lambda e: azure(e, "RequestResponse", json.dumps({"objectId": e.account, "modelDeploymentName": "d", "modelName": e.model, "requestBody": json.dumps(e.chat()), "responseBody": e.stream()}))
case("azure-openai", "azure-openai.jsonl", lines([azure(ALL[0], "Audit", "{}"), *map(diagnostic, ALL)]))

vertex = lambda e: {"endpoint": "projects/12/locations/europe-west4/publishers/google/models/" + e.model, "logging_time": e.at.strftime("%Y-%m-%d %H:%M:%S.000000 UTC"), "request_id": str(e.n), "model": e.model, "api_method": "streamGenerateContent", "full_request": e.gemini(), "full_response": [e.candidates()]}
case("vertex-table", "vertex-table.csv", table([vertex(e) for e in ALL]))
case("vertex-batch", "vertex-batch.jsonl", lines({"status": "", "processed_time": e.time, "request": e.gemini(), "response": e.candidates()} for e in ALL))

keyed = [{"key": f"request-{e.n}", "request": e.gemini()} for e in ALL] + [{"key": f"request-{e.n}", "response": e.candidates()} for e in ALL]
case("gemini-batch", "gemini-batch.jsonl", lines(keyed), DEFAULTS[2:], times=[None] * 8)

stored = lambda e: {**e.completion(), "metadata": {"user_id": e.account}, "input_user": None, "service_tier": "default", "messages": e.messages()}
case("openai-stored", "openai-stored.json", json.dumps({"object": "list", "data": [stored(e) for e in ALL], "first_id": "a", "last_id": "z", "has_more": False}, indent=2))
responses = lambda e: {"model": e.model, "input": e.messages(lambda text: text, system=False), "instructions": e.system, "safety_identifier": e.account}
said = lambda e: {"id": "resp_" + e.id, "object": "response", "created_at": e.unix, "status": "completed", "model": e.model, "output": [{"type": "reasoning", "id": "rs", "summary": []}, {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": e.response, "annotations": []}]}]}
case("openai-batch-responses", "openai-batch-responses.jsonl", lines([{"custom_id": e.id, "method": "POST", "url": "/v1/responses", "body": responses(e)} for e in ALL] + [{"id": "b", "custom_id": e.id, "response": {"status_code": 200, "body": said(e)}, "error": None} for e in ALL]))
message_batch = [{"custom_id": e.id, "params": {**e.anthropic(), "metadata": {"user_id": e.account}}} for e in ALL]
results = [{"custom_id": e.id, "result": {"type": "succeeded", "message": e.message()}} for e in reversed(ALL)]
case("anthropic-batch", "anthropic-batch.jsonl", lines(message_batch + results), DEFAULTS[2:], times=[None] * 8, backwards=True)
case("openai-sse", "openai-sse.jsonl", lines({"account": e.account, "time": e.time, "request": e.chat(), "response": e.stream()} for e in ALL))

helicone = lambda e: {"response_id": e.id, "response_created_at": e.time, "response_body": e.completion(), "response_status": 200, "request_id": e.id, "request_created_at": e.time, "request_body": e.chat(), "request_path": "/v1/chat/completions", "request_user_id": e.account, "request_properties": {"app": "a"}, "request_model": e.model, "provider": "OPENAI"}
case("helicone-page", "helicone-page.json", json.dumps({"data": [helicone(e) for e in ALL], "error": None}))
case("helicone-csv", "helicone.csv", table([helicone(e) for e in ALL]))

blob = lambda e: {"id": e.id, "traceId": e.id + "t", "type": "GENERATION", "name": "chat", "startTime": e.time, "endTime": e.time, "userId": e.account, "sessionId": "s", "model": e.model, "input": e.messages(), "output": {"role": "assistant", "content": e.response}, "level": "DEFAULT", "metadata": {"tier": "none"}}
case("langfuse-page", "langfuse-page.csv", table([blob(e) for e in ALL]))
trace = lambda e: {"id": e.id + "t", "timestamp": e.time, "name": "app", "input": e.prompt, "output": e.response, "userId": e.account, "sessionId": "s", "tags": [], "observations": [{**{k: v for k, v in blob(e).items() if k not in ("userId", "sessionId")}}, {"id": e.id + "s", "traceId": e.id + "t", "type": "SPAN", "startTime": e.time, "input": e.prompt}]}
case("langfuse-traces", "langfuse-traces.json", json.dumps({"data": [trace(e) for e in ALL], "meta": {"page": 1}}))

run = lambda e: {"id": e.id, "trace_id": e.id, "name": "ChatOpenAI", "run_type": "llm", "start_time": e.time[:-1], "inputs": e.chat(), "outputs": e.completion(), "extra": {"metadata": {"user_id": e.account, "ls_model_name": e.model, "session_id": "s"}, "invocation_params": {"model": e.model}}}
case("langsmith-csv", "langsmith.csv", table([run(e) for e in ALL]))
case("langsmith-page", "langsmith-page.json", json.dumps({"runs": [{**run(ALL[0]), "run_type": "tool", "id": "t"}, *map(run, ALL)], "cursors": {}}, indent=1))

spend = lambda e: {"request_id": e.id, "call_type": "acompletion", "api_key": e.account, "spend": 0.1, "startTime": e.at.strftime("%Y-%m-%d %H:%M:%S.000"), "endTime": e.time, "model": e.model, "user": "internal", "end_user": "visitor", "team_id": "t", "metadata": {"user_api_key_alias": "a"}, "messages": e.messages(), "response": e.completion(), "proxy_server_request": {}}
case("litellm-spend", "litellm-spend.csv", table([{**spend(ALL[0]), "call_type": "aembedding", "request_id": "e"}, *map(spend, ALL)]))

gate = lambda e: {"id": e.id, "created_at": e.at.strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)"), "ai_org": "openai", "ai_model": e.model, "request": json.dumps({"url": "u", "method": "POST", "body": e.chat()}), "response": json.dumps({"status": 200, "body": e.completion()}), "metadata": json.dumps({"_user": e.account, "environment": "prod"}), "cost": 0.1}
case("portkey-texts", "portkey-texts.jsonl", lines(map(gate, ALL)))
flare = lambda e: {"id": e.id, "created_at": e.time, "provider": "openai", "model": e.model, "path": "chat/completions", "cached": False, "success": True, "duration": 900, "tokens_in": 40, "tokens_out": 12, "metadata": json.dumps({"user_id": e.account}), "request": json.dumps(e.chat()), "response": json.dumps(e.completion())}
case("cloudflare-api", "cloudflare-api.json", json.dumps({"result": [flare(e) for e in ALL], "success": True, "errors": []}))
pushed = lambda e: {"Timestamp": e.time, "Gateway": "prod", "Provider": "openai", "Model": e.model, "Endpoint": "chat/completions", "Cached": False, "StatusCode": 200, "Metadata": {"user_id": e.account}, "RequestBody": json.dumps(e.chat()), "ResponseBody": e.stream()}
case("cloudflare-decrypted", "cloudflare-decrypted.jsonl", lines(map(pushed, ALL)))
kong = lambda e: {"started_at": e.unix * 1000, "request": {"id": e.id, "uri": "/chat"}, "response": {"status": 200}, "consumer": {"username": e.account, "id": e.id}, "ai": {"ai-proxy": {"meta": {"request_model": e.model}, "payload": {"request": e.chat(), "response": e.stream()}}}}
case("kong-plugin", "kong-plugin.json", json.dumps([kong(e) for e in ALL]))


def spread(prefix, messages, inner="message."):
    return {f"{prefix}.{i}.{inner}{name}": text for i, message in enumerate(messages) for name, text in message.items()}


def otlp(e, attributes, name, children=()):
    pairs = lambda fields: [{"key": key, "value": {"stringValue": value}} for key, value in fields.items()]
    span = lambda n, fields: {"traceId": e.id.replace("-", ""), "spanId": f"{e.n:08x}{n + 1:08x}", "name": name, "startTimeUnixNano": str(e.unix * 10**9), "attributes": pairs(fields)}
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {"name": name}, "spans": [span(n, fields) for n, fields in enumerate([attributes, *children])]}]}]}


inference = lambda e: {"openinference.span.kind": "LLM", "llm.model_name": e.model, "user.id": e.account, **spread("llm.input_messages", e.messages()), **spread("llm.output_messages", [{"role": "assistant", "content": e.response}])}
case("openinference-otlp", "openinference-otlp.jsonl", lines(otlp(e, inference(e), "openai", [{"openinference.span.kind": "CHAIN", "user.id": e.account, "input.value": e.prompt}]) for e in ALL))
lone = lambda e: otlp(e, inference(e), "openai")["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
case("openinference-spans", "openinference-spans.jsonl", lines(map(lone, ALL)))
phoenix = lambda e: {"name": "ChatCompletion", "span_kind": "LLM", "start_time": e.time, "context.span_id": e.id, "context.trace_id": e.id, "attributes.llm.model_name": e.model, "attributes.user.id": e.account, "attributes.llm.input_messages": [{"message.role": m["role"], "message.content": m["content"]} for m in e.messages()], "attributes.llm.output_messages": [{"message.role": "assistant", "message.content": e.response}]}
case("phoenix-table", "phoenix-table.csv", table([{**phoenix(ALL[0]), "span_kind": "CHAIN", "context.span_id": "c"}, *map(phoenix, ALL)]))
nested = lambda e: {"name": "ChatCompletion", "span_kind": "LLM", "start_time": e.time, "context": {"trace_id": e.id, "span_id": e.id}, "attributes": {"llm": {"model_name": e.model, "input_messages": [{"message": m} for m in e.messages()], "output_messages": [{"message": {"role": "assistant", "content": e.response}}]}, "user": {"id": e.account}, "openinference": {"span": {"kind": "LLM"}}}}
case("phoenix-nested", "phoenix-nested.jsonl", lines(map(nested, ALL)))

NAMES = {"user": "human", "assistant": "gpt", "system": "system"}
sharegpt = lambda e: {"id": e.id, "conversations": [{"from": NAMES[m["role"]], "value": m["content"]} for m in [*e.messages(), {"role": "assistant", "content": e.response}]]}
case("sharegpt", "sharegpt.json", json.dumps([sharegpt(e) for e in ALL], indent=2, ensure_ascii=False), DEFAULTS, accounts=["unnamed"], times=[None] * 8, models=[None] * 8)
arena = lambda e: {"tstamp": e.unix + 0.25, "type": "chat", "model": e.model, "ip": e.account, "state": {"conv_id": e.id, "model_name": e.model, "messages": [[m["role"], m["content"]] for m in [*e.messages(), {"role": "assistant", "content": e.response}]]}}
case("arena", "arena.jsonl", lines([row for e in ALL for row in (arena(e), {**arena(e), "type": "upvote"})]), times=[e.time[:-1] + ".25Z" for e in ALL])

received = lambda e: {"timestamp": e.time[:-1], "event": "request.received", "rid": e.id, "obj": {"rid": e.id, "text": e.chatml(), "sampling_params": {"temperature": 0.7}, "stream": False}}
finished = lambda e: {**received(e), "event": "request.finished", "out": {"text": e.response, "meta_info": {"id": e.id, "finish_reason": {"type": "stop"}, "prompt_tokens": 40, "completion_tokens": 12, "e2e_latency": 0.9}}}
order = [received(ALL[0]), *[row for e in ALL[1:] for row in (received(e), finished(ALL[e.n - 1]))], finished(ALL[7])]
case("sglang", "sglang.jsonl", lines(order), DEFAULTS[:2], accounts=["unnamed"], models=[None] * 8)


def engine(e):
    stamp = e.at.strftime("INFO %m-%d %H:%M:%S")
    asked = f"{stamp} [logger.py:41] Received request cmpl-{e.id}: prompt: {e.chatml()!r}, params: SamplingParams(n=1, temperature=0.7), prompt_token_ids: None, lora_request: None.\n"
    return asked + f"{stamp} [async_llm.py:270] Added request cmpl-{e.id}.\n{stamp} [logger.py:71] Generated response cmpl-{e.id}: output: {e.response!r}, output_token_ids: None, finish_reason: stop\n"


case("vllm-outputs", "vllm-outputs.log", "".join(map(engine, ALL)), DEFAULTS, accounts=["unnamed"], models=[None] * 8, times=[None] * 8)



def printed(e):
    stamp = e.at.strftime("[%Y-%m-%d %H:%M:%S TP0]")
    asked = f"obj=GenerateReqInput(rid='{e.id}', text={e.chatml()!r}, sampling_params={{'temperature': 0.7}})"
    out = f"out={{'text': {e.response!r}, 'meta_info': {{'id': '{e.id}', 'completion_tokens': 12}}}}"
    return f"{stamp} Receive: {asked}\n{stamp} Decode batch. #running-req: 1\n{stamp} Finish: {asked}, {out}\n"


case("sglang-text", "sglang-text.log", "".join(map(printed, ALL)), DEFAULTS[:2], accounts=["unnamed"], models=[None] * 8)

bricks = lambda e: {"databricks_request_id": e.id, "request_time": e.time, "status_code": 200, "request": json.dumps(e.chat()), "response": json.dumps(e.completion()), "requester": e.account, "served_entity_id": "x"}
case("databricks", "databricks.csv", table([bricks(e) for e in ALL]))
captured = lambda e, request, response: {"captureData": {"endpointInput": {"observedContentType": "application/json", "mode": "INPUT", **request}, "endpointOutput": {"observedContentType": "application/json", "mode": "OUTPUT", **response}}, "eventMetadata": {"eventId": e.id, "customAttributes": ["trace=" + e.id], "inferenceTime": e.time}, "eventVersion": "0"}
asked = lambda e: {**e.chat(), "user": e.account}
as_json = lambda body: {"data": json.dumps(body), "encoding": "JSON"}
as_bytes = lambda body: {"data": base64.b64encode(json.dumps(body).encode()).decode(), "encoding": "BASE64"}
case("sagemaker", "sagemaker.jsonl", lines([captured(e, as_json(asked(e)), as_json(e.completion())) for e in ALL[:4]] + [captured(e, as_bytes(asked(e)), as_bytes(e.completion())) for e in ALL[4:]]))
serving = lambda e, kind, data, at: {"specversion": "1.0", "id": e.id, "source": "http://localhost:9081/", "type": f"org.kubeflow.serving.inference.{kind}", "datacontenttype": "application/json", "time": at, "inferenceservicename": "tutor", "namespace": "shop", "endpoint": "default", "data": data}
case("kserve", "kserve.jsonl", lines([serving(e, "request", asked(e), e.time) for e in ALL] + [serving(e, "response", e.completion(), e.time) for e in ALL]))
trust = lambda e: {"id": e.id, "span_id": e.id, "root_span_id": e.id, "created": e.time, "input": e.messages(), "output": e.completion()["choices"], "metadata": {"model": e.model, "user_id": e.account}, "metrics": {"start": e.unix, "tokens": 52}, "span_attributes": {"name": "Chat Completion", "type": "llm"}}
case("braintrust", "braintrust.jsonl", lines([{**trust(ALL[0]), "id": "task", "span_attributes": {"type": "task"}}, *map(trust, ALL)]))
weave = lambda e: {"id": e.id, "project_id": "t/p", "op_name": "weave:///t/p/op/openai.chat.completions.create:abc", "trace_id": e.id, "started_at": e.time, "attributes": {"user_id": e.account}, "inputs": e.chat(), "output": e.completion()}
case("weave", "weave.jsonl", lines([{**weave(ALL[0]), "id": "op", "op_name": "weave:///t/p/op/answer:abc", "inputs": {"question": "x"}}, *map(weave, ALL)]))
opik = lambda e: {"id": e.id, "trace_id": e.id, "project_id": "p", "name": "chat_completion_create", "type": "llm", "start_time": e.time, "input": {"messages": e.messages()}, "output": {"choices": e.completion()["choices"]}, "metadata": {"user_id": e.account}, "model": e.model, "provider": "openai"}
case("opik", "opik.json", json.dumps({"page": 1, "size": 9, "total": 9, "content": [opik(e) for e in ALL]}))
webui = lambda e: {"id": e.id, "user_id": e.account, "title": "t", "chat": {"models": [e.model], "system": e.system or "", "messages": [{"id": "m", "role": m["role"], "content": m["content"], "timestamp": e.unix} for m in [*e.messages(system=False), {"role": "assistant", "content": e.response}]]}, "updated_at": e.unix, "created_at": e.unix}
case("open-webui", "open-webui.json", json.dumps([webui(e) for e in ALL]))
logfire = lambda e: {"name": "chat", "trace_id": e.id, "span_id": e.id, "start_time": e.time, "attributes": {"gen_ai.system": "openai", "gen_ai.request.model": e.model, "user.id": e.account, "request_data": json.dumps(e.chat()), "response_data": json.dumps({"message": {"role": "assistant", "content": e.response}})}}
case("logfire", "logfire.jsonl", lines(map(logfire, ALL)))

# The forms in which a call is told in more than one row, in an order of its own, or inside something else.


def items(e):
    asked = [{"type": "message", "role": m["role"], "content": [{"type": "output_text" if m["role"] == "assistant" else "input_text", "text": m["content"]}]} for m in e.messages()]
    return {"id": "resp_" + e.id, "object": "response", "created_at": e.unix, "status": "completed", "model": e.model, "user": e.account, "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": e.response}]}], "input_items": {"object": "list", "data": asked[::-1], "has_more": False}}


case("responses-items", "responses-items.jsonl", lines(map(items, ALL)))


def inside(e, children):
    row = otlp(e, inference(e), "framework", [attributes for attributes, _ in children])
    spans = row["resourceSpans"][0]["scopeSpans"][0]["spans"]
    for span, (_, name) in zip(spans[1:], children):
        span.update({"parentSpanId": spans[0]["spanId"], "name": name})
    return {**row, "resourceSpans": [{**row["resourceSpans"][0], "scopeSpans": [{"scope": {"name": "framework"}, "spans": spans[::-1]}]}]}


client = lambda e: {name: value for name, value in inference(e).items() if name != "user.id"}
case("spans-inside", "spans-inside.jsonl", lines(inside(e, [(client(e), "ChatCompletion")]) for e in ALL))
raw = lambda e: {"llm.openai.messages": str(e.messages()), "llm.openai.model": e.model, "llm.openai.id": e.id}
case("litellm-otlp", "litellm-otlp.jsonl", lines(inside(e, [(raw(e), "raw_gen_ai_request")]) for e in ALL))


def debugged(e):
    stamp = "\x1b[1;36m(APIServer pid=7)\x1b[0;0m \x1b[32m{}\x1b[0m " + e.at.strftime("%m-%d %H:%M:%S") + " \x1b[90m[entrypoints/logger.py:50]\x1b[0m "
    asked = f"{stamp.format('DEBUG')}Request chatcmpl-{e.id} details: prompt: {e.chatml()!r}, prompt_token_ids: None, prompt_embeds shape: None.\n"
    return asked + f"{stamp.format('INFO')}Received request chatcmpl-{e.id}: params: SamplingParams(n=1, stop=[]), lora_request: None.\n{stamp.format('INFO')}Generated response chatcmpl-{e.id}: output: {e.response!r}, output_token_ids: None, finish_reason: stop\n"


case("vllm-debug", "vllm-debug.log", "".join(map(debugged, ALL)), DEFAULTS, accounts=["unnamed"], models=[None] * 8, times=[None] * 8)

common = lambda e, category: {"time": e.time, "resourceId": "/SUBSCRIPTIONS/X", "category": category, "operationName": "Microsoft.ApiManagement/GatewayLogs", "correlationId": e.id}
llm = lambda e, n, **fields: {**common(e, "GatewayLlmLogs"), "properties": {"sequenceNumber": n, **fields}}
pieces = lambda e: [llm(e, 2, responseMessages=json.dumps([{"role": "assistant", "content": e.response}])), {**common(e, "GatewayLogs"), "properties": {"apimSubscriptionId": e.account, "apiId": "openai"}}, llm(e, 0, modelName=e.model, promptTokens=40), llm(e, 1, requestMessages=json.dumps(e.messages()))]
case("azure-pieces", "azure-pieces.jsonl", lines(row for e in ALL for row in pieces(e)))
shown = lambda e: {"TimeGenerated [UTC]": e.at.strftime("%m/%d/%Y, %I:%M:%S.000 %p").replace("/0", "/").lstrip("0"), "CorrelationId": e.id}
portal = lambda e: [{**shown(e), "SequenceNumber": 0, "ModelName": e.model, "ApimSubscriptionId": e.account}, {**shown(e), "SequenceNumber": 1, "RequestMessages": e.messages()}, {**shown(e), "SequenceNumber": 2, "ResponseMessages": [{"role": "assistant", "content": e.response}]}]
case("azure-portal", "azure-portal.csv", table([row for e in ALL for row in portal(e)]))

invoked = lambda e: bedrock(e, e.anthropic(), e.message())
case("cloudwatch-events", "cloudwatch-events.json", json.dumps({"events": [{"logStreamName": "s", "timestamp": e.unix * 1000, "message": json.dumps(invoked(e)), "eventId": str(e.n)} for e in ALL], "searchedLogStreams": []}), **ARNS)
case("cloudwatch-query", "cloudwatch-query.json", json.dumps({"results": [[{"field": "@timestamp", "value": e.at.strftime("%Y-%m-%d %H:%M:%S.000")}, {"field": "@message", "value": json.dumps(invoked(e))}] for e in ALL], "status": "Complete"}), **ARNS)
case("cloudwatch-export", "cloudwatch-export", "".join(f"{e.time[:-1]}.000Z {json.dumps(invoked(e))}\n" for e in ALL), **ARNS)
case("firehose", "firehose", "".join(json.dumps(invoked(e)) for e in ALL), **ARNS)
asked = lambda e: {"custom_id": e.id, "params": {**e.anthropic(), "metadata": {"user_id": e.account}}}
case("anthropic-requests", "anthropic-requests.json", json.dumps({"requests": [asked(e) for e in ALL]}), DEFAULTS[2:], responses=[None] * 8, times=[None] * 8)
flame = lambda e: {"start_timestamp": e.time, "created_at": "2030-01-01T00:00:00Z", "trace_id": e.id, "span_id": e.id[:8], "parent_span_id": None, "span_name": "Chat Completion", "kind": "span", "attributes": {"gen_ai.system": "openai", "gen_ai.request.model": e.model, "user.id": e.account, "request_data": e.chat(), "response_data": {"message": {"role": "assistant", "content": e.response}}}}
case("logfire-rows", "logfire-rows.jsonl", lines(map(flame, ALL)))
case("gcp-entries", "gcp-entries.json", json.dumps([{"insertId": e.id, "jsonPayload": {**e.chat(), "user": e.account, "response": {"choices": e.completion()["choices"]}}, "timestamp": e.time, "severity": "INFO", "logName": "projects/p/logs/llm"} for e in ALL]))
half = lambda e, part: {"candidates": [{"content": {"role": "model", "parts": [{"text": part}]}}], "modelVersion": e.model, "responseId": e.id}
payload = lambda e: {"endpoint": "projects/p/endpoints/1", "deployed_model_id": e.model, "logging_time": e.time, "request_id": e.id, "request_payload": [json.dumps(e.gemini())], "response_payload": [json.dumps(half(e, part)) for part in e.pieces()]}
case("vertex-payload", "vertex-payload.jsonl", lines(map(payload, ALL)))
pandas = lambda e: {name: str(value) for name, value in phoenix(e).items()}
case("phoenix-pandas", "phoenix-pandas.csv", table(list(map(pandas, ALL))))

os.makedirs("langfuse-legacy", exist_ok=True)
seen = lambda e: {"id": e.id, "trace_id": "t" + e.id, "project_id": "p", "type": "GENERATION", "start_time": e.time, "provided_model_name": e.model, "level": "DEFAULT", "input": json.dumps(e.messages()), "output": json.dumps({"role": "assistant", "content": e.response})}
trace = lambda e: {"id": "t" + e.id, "timestamp": e.time, "name": "x", "project_id": "p", "user_id": e.account, "session_id": "", "release": "", "bookmarked": False, "input": json.dumps(e.prompt), "output": json.dumps(e.response)}
case("langfuse-legacy", "langfuse-legacy")
for name, row in [("observations.jsonl", seen), ("traces.jsonl", trace)]:
    with open("langfuse-legacy/" + name, "w", encoding="utf-8") as out:
        out.write(lines(map(row, ALL)))

# What further tools, chat applications and data sets write.

encoded = lambda fields: {name: json.dumps(value) for name, value in fields.items()}
flow = lambda e, kind, n: {"name": kind, "context": {"span_id": f"0x{e.n:08x}{n:08x}", "trace_id": "0x" + e.id.replace("-", "")}, "parent_id": None if n == 0 else f"0x{e.n:08x}{0:08x}", "start_time": e.unix * 10**9, "end_time": e.unix * 10**9 + 1, "status_code": "OK", "status_message": "", "events": []}
call = lambda e: {**flow(e, "Completions", 1), "attributes": encoded({"mlflow.traceRequestId": e.id, "mlflow.spanType": "CHAT_MODEL", "mlflow.spanInputs": e.chat(), "mlflow.spanOutputs": e.completion()})}
around = lambda e: {**flow(e, "answer", 0), "attributes": encoded({"mlflow.traceRequestId": e.id, "mlflow.spanType": "CHAIN", "mlflow.spanInputs": {"question": e.prompt}, "mlflow.spanOutputs": e.response})}
said = lambda e: {"mlflow.trace.user": e.account, "mlflow.trace.session": "s" + e.id, "mlflow.traceInputs": json.dumps(e.prompt)}
second = lambda e: {"info": {"request_id": e.id, "experiment_id": "0", "timestamp_ms": e.unix * 1000, "execution_time_ms": 5, "status": "OK", "request_metadata": said(e), "tags": {"mlflow.user": "root"}}, "data": {"spans": [around(e), call(e)], "request": json.dumps(e.prompt), "response": json.dumps(e.response)}}
case("mlflow", "mlflow.jsonl", lines(map(second, ALL)))
wired = lambda e, span: {"trace_id": "dGVzdA==", "span_id": f"{e.n}{span['name']}", "parent_span_id": None, "trace_state": "", "name": span["name"], "start_time_unix_nano": e.unix * 10**9, "end_time_unix_nano": e.unix * 10**9 + 1, "attributes": span["attributes"], "status": {"code": "STATUS_CODE_OK", "message": ""}}
third = lambda e: {"info": {"trace_id": "tr-" + e.id, "trace_location": {"type": "MLFLOW_EXPERIMENT"}, "request_time": e.time, "state": "OK", "trace_metadata": said(e), "tags": {}}, "data": {"spans": [wired(e, around(e)), wired(e, call(e))]}}
case("mlflow-table", "mlflow-table.csv", table([{"trace_id": e.id, "trace": third(e), "state": "OK", "request_time": e.time, "request": json.dumps(e.prompt), "response": json.dumps(e.response), "tags": {}} for e in ALL]))

dog = lambda e, kind: {"id": e.id + kind, "type": "span", "attributes": {"span_id": e.id + kind, "trace_id": e.id, "parent_id": "undefined", "span_kind": kind, "name": kind, "ml_app": "shop", "start_ns": e.unix * 10**9, "duration": 9, "session_id": "s", "model_name": e.model, "model_provider": "openai", "input": {"messages": e.messages()}, "output": {"messages": [{"role": "assistant", "content": e.response}]}, "tags": ["env:prod", "user_id:" + e.account], "status": "ok"}}
case("datadog", "datadog.json", json.dumps({"data": [dog(e, kind) for e in ALL for kind in ("agent", "llm")], "meta": {"page": {}}}))
sent = lambda e, kind: {"span_id": kind + e.id, "trace_id": e.id, "parent_id": "undefined", "name": kind, "meta": {"kind": kind, "input": {"messages": e.messages()}, "output": {"messages": [{"role": "assistant", "content": e.response}]}, "metadata": {"model_name": e.model}}, "start_ns": e.unix * 10**9, "duration": 9}
case("datadog-intake", "datadog-intake.jsonl", lines({"data": {"type": "span", "attributes": {"ml_app": "shop", "session_id": "s", "tags": ["env:prod", "user_id:" + e.account], "spans": [sent(e, "workflow"), sent(e, "llm")]}}} for e in ALL))

hive = lambda e: {"event_id": e.id, "session_id": "s", "parent_id": "p", "project": "shop", "event_type": "model", "event_name": "chat", "source": "prod", "config": {"provider": "openai", "model": e.model}, "inputs": {"chat_history": e.messages()}, "outputs": {"role": "assistant", "content": e.response}, "error": None, "start_time": e.unix * 1000, "end_time": e.unix * 1000 + 900, "duration": 900, "metadata": {}, "user_properties": {"user_id": e.account}}
case("honeyhive", "honeyhive.jsonl", lines([{**hive(ALL[0]), "event_id": "c", "event_type": "chain"}, *map(hive, ALL)]))

seen = lambda e, event, properties: {"uuid": e.id, "event": event, "distinct_id": e.account, "timestamp": e.time, "properties": json.dumps(properties), "person_id": "p"}
generation = lambda e: {"$ai_trace_id": e.id, "$ai_span_id": "s", "$ai_model": e.model, "$ai_provider": "openai", "$ai_input": e.messages(), "$ai_output_choices": [{"role": "assistant", "content": [{"type": "text", "text": e.response}]}], "$ai_input_tokens": 40, "$ai_output_tokens": 12, "$ai_latency": 0.9, "$ai_http_status": 200}
case("posthog", "posthog.csv", table([seen(ALL[0], "$ai_trace", {"$ai_trace_id": ALL[0].id, "$ai_input_state": "x"})] + [seen(e, "$ai_generation", generation(e)) for e in ALL] + [seen(ALL[1], "signed up", {"plan": "free"})]))

tracked = lambda e: {"function_name": "openai.chat.completions.create", "provider_type": "openai", "args": [], "kwargs": e.chat(), "tags": ["prod"], "request_response": e.completion(), "request_start_time": e.unix, "request_end_time": e.unix + 1, "metadata": {"user_id": e.account}, "request_id": e.n + 1}
case("promptlayer", "promptlayer.jsonl", lines(map(tracked, ALL)))
blocks = lambda messages: [{"role": m["role"], "content": [{"type": "text", "text": m["content"]}]} for m in messages]
logged = lambda e: {"request_id": e.n + 1, "provider": "openai", "model": e.model, "input": {"type": "chat", "messages": blocks(e.messages())}, "output": {"type": "chat", "messages": blocks([{"role": "assistant", "content": e.response}])}, "request_start_time": e.time, "request_end_time": e.time, "metadata": {"user_id": e.account}, "tags": []}
case("promptlayer-log", "promptlayer-log.jsonl", lines(map(logged, ALL)))
given = lambda e: {"success": True, "request_id": e.n + 1, "provider": "openai", "model": e.model, "request_start_time": e.time, "prompt_blueprint": {"prompt_template": {"type": "chat", "messages": blocks([*e.messages(), {"role": "assistant", "content": e.response}])}, "metadata": {"model": {"provider": "openai", "name": e.model}}}, "metadata": {"user_id": e.account}}
case("promptlayer-request", "promptlayer-request.jsonl", lines(map(given, ALL)))

true = lambda e, kind: {"spanId": kind + e.id, "traceId": e.id, "parentSpanId": "", "serviceName": "tfy-llm-gateway", "spanName": kind, "spanKind": "Server", "timestamp": e.time, "durationNs": 9, "statusCode": "Ok", "spanAttributes": {"tfy.span_type": kind, "tfy.input": json.dumps(e.chat()), "tfy.output": json.dumps(e.completion()), "tfy.request.model_name": e.model, "tfy.request.conversation_id": "c"}, "createdBySubject": {"subjectId": "i" + e.id, "subjectSlug": e.account, "subjectType": "virtualaccount"}}
case("truefoundry", "truefoundry.jsonl", lines(true(e, kind) for e in ALL for kind in ("Model", "ChatCompletion")))

routed = lambda e: {"data": {"id": "gen-" + e.id, "created_at": e.time, "model": e.model, "external_user": e.account, "app_id": 12, "provider_name": "P", "tokens_prompt": 40, "input": {"messages": e.messages()}, "output": {"completion": e.response, "reasoning": None}}}
case("openrouter", "openrouter.jsonl", lines(map(routed, ALL)))

laminar = lambda e, kind: {"span_id": kind + e.id, "trace_id": e.id, "parent_span_id": None, "name": "openai.chat", "span_type": kind, "start_time": e.time, "end_time": e.time, "input": json.dumps(e.messages()), "output": json.dumps([{"role": "assistant", "content": e.response}]), "request_model": e.model, "user_id": e.account, "session_id": "s", "attributes": json.dumps({"gen_ai.system": "openai"})}
case("laminar", "laminar.jsonl", lines(laminar(e, kind) for e in ALL for kind in ("DEFAULT", "LLM")))

dify = lambda e: {"id": e.id, "app_id": "a", "model_provider": "openai", "model_id": e.model, "conversation_id": "c" + e.id, "inputs": {}, "query": e.prompt, "message": [{"role": m["role"], "text": m["content"], "files": []} for m in e.messages()], "message_tokens": 40, "answer": e.response, "answer_tokens": 12, "from_source": "api", "from_end_user_id": e.account, "from_account_id": None, "created_at": e.time}
case("dify", "dify.jsonl", lines(map(dify, ALL)))
told = lambda e: {"id": e.id, "conversation_id": "c", "inputs": {}, "query": e.prompt, "answer": e.response, "message_files": [], "feedback": None, "retriever_resources": [], "created_at": e.unix}
case("dify-api", "dify-api.json", json.dumps({"limit": 20, "has_more": False, "data": [told(e) for e in ALL]}), DEFAULTS[:2], accounts=["unnamed"], models=[None] * 8, systems=[None] * 8)

lunar = lambda e: {"id": e.id, "projectId": "p", "type": "llm", "name": e.model, "createdAt": e.time, "endedAt": e.time, "status": "success", "input": e.messages(), "output": {"role": "assistant", "content": e.response}, "user": {"id": 7, "externalId": e.account}, "tags": []}
case("lunary", "lunary.jsonl", lines([{**lunar(ALL[0]), "id": "a", "type": "agent"}, *map(lunar, ALL)]))
respan = lambda e: {"id": e.id, "timestamp": e.time, "model": e.model, "log_type": "chat", "prompt_messages": e.messages(), "completion_message": {"role": "assistant", "content": e.response}, "customer_identifier": e.account, "thread_identifier": "t", "organization_key_id": "k", "status_code": 200}
case("respan", "respan.jsonl", lines(map(respan, ALL)))
piped = lambda e: {"input": e.chat(), "output": e.completion(), "tags": {"user_id": e.account}}
case("openpipe", "openpipe.jsonl", lines(map(piped, ALL)))

libre = lambda e: [{"_id": {"$oid": "u" + e.id}, "messageId": e.id, "conversationId": "c" + e.id, "user": e.account, "parentMessageId": "0", "sender": "User", "text": e.prompt, "isCreatedByUser": True, "createdAt": {"$date": e.time}}, {"_id": {"$oid": "a" + e.id}, "messageId": "r" + e.id, "parentMessageId": e.id, "conversationId": "c" + e.id, "user": e.account, "sender": "GPT", "text": e.response, "isCreatedByUser": False, "model": e.model, "createdAt": {"$date": e.time}}]
case("librechat", "librechat.jsonl", lines(row for e in ALL for row in libre(e)), systems=[None] * 8)
flowise = lambda e: [{"id": e.id, "role": "userMessage", "chatflowid": "f", "content": e.prompt, "chatId": "c" + e.id, "sessionId": "c" + e.id, "chatType": "EXTERNAL", "createdDate": e.time}, {"id": "r" + e.id, "role": "apiMessage", "chatflowid": "f", "content": e.response, "chatId": "c" + e.id, "sessionId": "c" + e.id, "createdDate": e.time}]
case("flowise", "flowise.jsonl", lines(row for e in ALL for row in flowise(e)), DEFAULTS[:2], accounts=["unnamed"], systems=[None] * 8, models=[None] * 8, responses=[None] * 8)
langflow = lambda e: [{"id": e.id, "flow_id": "f", "timestamp": e.at.strftime("%Y-%m-%d %H:%M:%S UTC"), "sender": "User", "sender_name": "User", "session_id": "c" + e.id, "text": e.prompt, "files": []}, {"id": "r" + e.id, "flow_id": "f", "timestamp": e.at.strftime("%Y-%m-%d %H:%M:%S UTC"), "sender": "Machine", "sender_name": "AI", "session_id": "c" + e.id, "text": e.response, "files": []}]
case("langflow", "langflow.jsonl", lines(row for e in ALL for row in langflow(e)), DEFAULTS[:2], accounts=["unnamed"], systems=[None] * 8, models=[None] * 8, responses=[None] * 8)

# A chat of which each user turn is an exchange; here each has one.
lone = lambda e: [("system", e.system)] * bool(e.system) + [("user", e.prompt), ("assistant", e.response)]


def gpt(e):
    nodes = {"root": {"id": "root", "message": None, "parent": None, "children": ["0"]}}
    for i, (role, text) in enumerate(lone(e)):
        message = {"id": f"{e.id}-{i}", "author": {"role": role, "name": None, "metadata": {}}, "create_time": e.unix, "content": {"content_type": "text", "parts": [text]}, "status": "finished_successfully", "metadata": {"model_slug": e.model} if role == "assistant" else {}, "recipient": "all"}
        nodes[str(i)] = {"id": str(i), "message": message, "parent": str(i - 1) if i else "root", "children": [str(i + 1)] if i + 1 < len(lone(e)) else []}
    # Another answer, which was not kept.
    nodes["x"] = {"id": "x", "message": {"id": "x", "author": {"role": "user"}, "create_time": e.unix, "content": {"content_type": "text", "parts": ["Something else."]}, "recipient": "all"}, "parent": "root", "children": []}
    return {"title": "t", "create_time": e.unix, "update_time": e.unix, "mapping": nodes, "moderation_results": [], "current_node": str(len(lone(e)) - 1), "conversation_id": "c" + e.id, "default_model_slug": e.model}


case("chatgpt", "chatgpt.json", json.dumps([gpt(e) for e in ALL], ensure_ascii=False), DEFAULTS[:2], accounts=["unnamed"])
claude = lambda e: {"uuid": "c" + e.id, "name": "t", "created_at": e.time, "updated_at": e.time, "account": {"uuid": e.account}, "chat_messages": [{"uuid": f"{e.id}-{i}", "text": text, "content": [{"type": "text", "text": text}], "sender": NAMES[role].replace("gpt", "assistant"), "created_at": e.time, "attachments": [], "files": []} for i, (role, text) in enumerate(lone(e))]}
case("claude-ai", "claude-ai.json", json.dumps([claude(e) for e in ALL], ensure_ascii=False), models=[None] * 8)
spoken = lambda e, parent, n: {"messageId": f"{e.id}-{n}", "parentMessageId": parent, "conversationId": "c" + e.id, "sender": "User", "text": e.prompt, "isCreatedByUser": True, "createdAt": e.time, "children": [{"messageId": f"{e.id}-{n}r", "parentMessageId": f"{e.id}-{n}", "conversationId": "c" + e.id, "sender": "GPT", "text": e.response, "isCreatedByUser": False, "model": e.model, "createdAt": e.time}]}
case("librechat-export", "librechat-export.json", json.dumps([{"conversationId": "c" + e.id, "endpoint": "openAI", "title": "t", "exportAt": e.time, "branches": True, "recursive": True, "options": {"model": e.model}, "messages": [spoken(e, "0", 0)]} for e in ALL], ensure_ascii=False), DEFAULTS[:2], accounts=["unnamed"], systems=[None] * 8)
studio = lambda e: {"name": "t", "createdAt": e.unix * 1000, "systemPrompt": e.system or "", "lastUsedModel": {"identifier": e.model}, "messages": [{"versions": [{"type": "singleStep", "role": "user", "content": [{"type": "text", "text": e.prompt}]}], "currentlySelected": 0}, {"versions": [{"type": "multiStep", "role": "assistant", "steps": [{"type": "contentBlock", "content": [{"type": "text", "text": "An older answer."}]}]}, {"type": "multiStep", "role": "assistant", "steps": [{"type": "contentBlock", "content": [{"type": "text", "text": e.response}]}]}], "currentlySelected": 1}]}
case("lm-studio", "lm-studio.jsonl", lines(map(studio, ALL)), DEFAULTS[:2], accounts=["unnamed"])

node = lambda e, replies: {"message_id": e.id, "parent_id": None, "user_id": e.account, "created_date": e.time, "text": e.prompt, "role": "prompter", "lang": "en", "replies": replies}
reply = lambda e, replies: {"message_id": "r" + e.id, "parent_id": e.id, "user_id": "v", "created_date": e.time, "text": e.response, "role": "assistant", "lang": "en", "replies": replies}
tree = lambda e, below: {"message_tree_id": e.id, "tree_state": "ready_for_export", "prompt": node(e, [reply(e, below)])}
case("oasst-trees", "oasst-trees.jsonl", lines(tree(e, [node(ALL[e.n + 1], [reply(ALL[e.n + 1], [])])]) for e in ALL[::2]), systems=[None] * 8, models=[None] * 8, responses=[None] * 8)
flat = lambda e: [{name: value for name, value in {**row, "message_tree_id": e.id, "tree_state": "ready_for_export", "review_count": 3}.items() if name != "replies"} for row in (node(e, []), reply(e, []))]
case("oasst", "oasst.jsonl", lines(row for e in ALL for row in flat(e)), systems=[None] * 8, models=[None] * 8, responses=[None] * 8)

UNNAMED = {"accounts": ["unnamed"], "times": [None] * 8, "models": [None] * 8}
talk = lambda e: [text for _, text in [*e.earlier, ("user", e.prompt), ("assistant", e.response)]]
case("ultrachat", "ultrachat.jsonl", lines({"id": e.id, "data": talk(e)} for e in ALL), DEFAULTS, **UNNAMED, systems=[None] * 8)
case("ultrachat-200k", "ultrachat-200k.jsonl", lines({"prompt": talk(e)[0], "prompt_id": e.id, "messages": [*e.messages(), {"role": "assistant", "content": e.response}]} for e in ALL), DEFAULTS, **UNNAMED)
case("messages", "messages.jsonl", lines({"messages": [*e.messages(), {"role": "assistant", "content": e.response}]} for e in ALL), DEFAULTS, **UNNAMED)
case("alpaca", "alpaca.jsonl", lines({"instruction": e.prompt, "input": "a text" if e.n == 2 else "", "output": e.response, "text": "Below is an instruction."} for e in ALL), DEFAULTS, **UNNAMED, systems=[None] * 8, prompts=[e.prompt + ("\n\na text" if e.n == 2 else "") for e in ALL])
case("dolly", "dolly.jsonl", lines({"instruction": e.prompt, "context": "", "response": e.response, "category": "open_qa"} for e in ALL), DEFAULTS, **UNNAMED, systems=[None] * 8)
case("openorca", "openorca.jsonl", lines({"id": "flan." + e.id, "system_prompt": e.system or "", "question": e.prompt, "response": e.response} for e in ALL), DEFAULTS, **UNNAMED)

# What carries rows from one place to another.
own = lambda e: {"id": e.id, "account": e.account, "time": e.time, "model": e.model, "prompt": e.prompt, "system": e.system, "response": e.response}
case("snowflake", "snowflake.csv", table([{name.upper(): value for name, value in own(e).items()} for e in ALL]))
case("snowpipe", "snowpipe.csv", table([{"RECORD_METADATA": {"offset": e.n}, "RECORD_CONTENT": own(e)} for e in ALL]))
case("elastic-search", "elastic-search.json", json.dumps({"took": 3, "hits": {"total": {"value": 8}, "hits": [{"_index": "i", "_id": e.id, "_score": 1, "_source": own(e)} for e in ALL]}}))
case("splunk-export", "splunk-export.jsonl", lines({"preview": False, "offset": e.n, "result": {"_time": e.time, "host": "h", "_raw": json.dumps(own(e))}} for e in ALL))
case("loki", "loki.json", json.dumps({"status": "success", "data": {"resultType": "streams", "result": [{"stream": {"app": "x"}, "values": [[str(e.unix * 10**9), json.dumps(own(e))] for e in ALL]}]}}))
case("logcli", "logcli.jsonl", lines({"labels": {"app": "x"}, "line": json.dumps(own(e)), "timestamp": e.time} for e in ALL))
older = lambda e: [{"role": {"user": "USER", "assistant": "CHATBOT"}[role], "message": text} for role, text in e.earlier]
command = lambda e: {"model": e.model, "message": e.prompt, "chat_history": older(e), **({"preamble": e.system} if e.system else {})}
case("cohere", "cohere.jsonl", lines({"account": e.account, "time": e.time, "request": command(e), "response": {"response_id": e.id, "generation_id": "g", "text": e.response, "finish_reason": "COMPLETE"}} for e in ALL))
case("llamacpp", "llamacpp.jsonl", lines({"tid": "1", "timestamp": e.unix, "level": "VERB", "function": "log_server_request", "line": 2877, "msg": "request", "request": json.dumps({**e.chat(), "user": e.account}), "response": json.dumps(e.completion())} for e in ALL))
case("ollama", "ollama.jsonl", lines({"account": e.account, "request": {"model": e.model, "messages": e.messages(), "stream": False}, "response": {"model": e.model, "created_at": e.time, "message": {"role": "assistant", "content": e.response}, "done": True}} for e in ALL))
case("vercel", "vercel.jsonl", lines({"traceId": e.id, "spanId": e.id[:8], "name": "ai.generateText.doGenerate", "startTime": e.time, "attributes": {"ai.operationId": "ai.generateText.doGenerate", "ai.model.id": e.model, "ai.prompt.messages": json.dumps(blocks(e.messages())), "ai.response.text": e.response, "ai.telemetry.metadata.userId": e.account, "gen_ai.request.model": e.model, "gen_ai.system": "openai"}} for e in ALL))
observed = lambda e, arguments: {"id": e.id, "traceId": "t" + e.id, "type": "GENERATION", "startTime": e.time, "userId": e.account, "model": e.model, "input": arguments, "output": e.response}
case("langfuse-observe", "langfuse-observe.jsonl", lines(observed(e, {"args": [e.messages()] if e.n % 2 else [], "kwargs": {} if e.n % 2 else {"messages": e.messages()}}) for e in ALL))
# Nobody but the system said anything: its last text is what was asked.
case("langfuse-system", "langfuse-system.jsonl", lines(observed(e, [{"role": "system", "content": text} for text in [e.system, e.prompt] if text]) for e in ALL), systems=["\n".join(text for text in [e.system, e.prompt] if text) for e in ALL])

with open("more.json", "w", encoding="utf-8") as out:
    json.dump(TRUTH, out, ensure_ascii=False, indent=1)
    out.write("\n")
