#!/usr/bin/env python3
"""Counts the events of audit trails by actor, action and outcome.

    count.py FORMAT FILE [FORMAT FILE ...]

Reads the original files and maps them as docs/importers.md says, with the standard library of
Python and nothing of bulla: the counts that `bulla query --count-by` gives after an import of
the same files must be these. FORMAT is cloudtrail, k8s or auditd. Prints one JSON object:

    {"events": N, "rejected": N, "actor": {VALUE: N}, "action": {...}, "outcome": {...}}
"""

import collections
import json
import re
import sys
import unicodedata


class Rejected(Exception):
    """The line has not what an event needs."""


def main(arguments):
    counts = {name: collections.Counter() for name in ("actor", "action", "outcome")}
    events = rejected = 0
    for form, path in zip(arguments[::2], arguments[1::2], strict=True):
        with open(path, encoding="utf-8") as file:
            lines = [line.strip() for line in file if line.strip()]
        mapped, refused = FORMATS[form](lines)
        events += len(mapped)
        rejected += refused
        for actor_type, actor_id, action, outcome in mapped:
            counts["actor"][shown(f"{actor_type}:{actor_id}")] += 1
            counts["action"][shown(action)] += 1
            counts["outcome"][outcome] += 1
    json.dump({"events": events, "rejected": rejected, **counts}, sys.stdout, sort_keys=True)
    print()


def shown(text):
    """Control characters are written as escapes."""
    is_control = lambda char: unicodedata.category(char) == "Cc"
    return "".join(f"\\u{{{ord(char):x}}}" if is_control(char) else char for char in text)


def each_json(map_one):
    """Maps every line by itself."""

    def map_all(lines):
        mapped, rejected = [], 0
        for line in lines:
            try:
                event = json.loads(line)
                if not isinstance(event, dict):
                    raise Rejected("not an object")
                mapped.append(map_one(event))
            except (Rejected, json.JSONDecodeError):
                rejected += 1
        return mapped, rejected

    return map_all


def text(event, *path):
    """The plain value at a path as text; None if it is absent, null or empty."""
    for name in path:
        event = event.get(name) if isinstance(event, dict) else None
    if isinstance(event, bool):
        return "true" if event else "false"
    if isinstance(event, (str, int, float)):
        return str(event) or None
    return None


def need(event, *path):
    found = text(event, *path)
    if found is None:
        raise Rejected(".".join(path))
    return found


# --- AWS CloudTrail ------------------------------------------------------------------------

AWS_ACTOR_IDS = [
    ("arn",),
    ("principalId",),
    ("onBehalfOf", "userId"),
    ("userName",),
    ("invokedBy",),
    ("accountId",),
]
AWS_ACTOR_TYPES = {
    "IAMUser": "user",
    "AssumedRole": "role",
    "Role": "role",
    "Root": "root",
    "AWSService": "service",
    "AWSAccount": "account",
    "FederatedUser": "federated_user",
    "WebIdentityUser": "web_identity_user",
    "SAMLUser": "saml_user",
    "IdentityCenterUser": "identity_center_user",
}
AWS_DENIED = re.compile(
    "AccessDenied|Unauthorized|Forbidden|NotAuthorized|AuthFailure|OptInRequired", re.IGNORECASE
)
AWS_SIGN_INS = """consolelogin checkmfa switchrole exitrole renewrole credentialchallenge
    credentialverification userauthentication""".split()
AWS_NAMES_DENIED = {"denied", "rejected", "blocked"}
AWS_NAMES_FAILED = {"failed", "failure", "error"}


def cloudtrail(event):
    need(event, "eventTime")
    insight = event.get("insightDetails")
    service = text(event, "eventSource") or text(insight, "eventSource")
    name = text(event, "eventName") or text(insight, "eventName")
    if service is None and name is None:
        raise Rejected("eventSource and eventName")
    service, name = service or "unknown", name or "unknown"
    who = event.get("userIdentity")
    actor_id = next((found for path in AWS_ACTOR_IDS if (found := text(who, *path))), None)
    kind = text(who, "type")
    if kind is None or kind.lower() == "unknown":
        by_itself = text(event, "eventType") in ("AwsServiceEvent", "AwsCloudTrailInsight")
        if text(who, "invokedBy"):
            kind = "service"
        elif actor_id:
            kind = "account"
        else:
            kind = "service" if by_itself or insight else "anonymous"
    action = f"{service.removesuffix('.amazonaws.com')}.{name}"
    outcome = aws_outcome(event, service, name)
    return AWS_ACTOR_TYPES.get(kind, kind), actor_id or "unknown", action, outcome


def aws_outcome(event, service, name):
    """The worst of what the places say; a sign-in whose answer is missing is no success."""
    said = set()
    code = text(event, "errorCode")
    if code is not None:
        said.add("denied" if AWS_DENIED.search(code) or code in ("401", "403") else "failure")
    if text(event, "errorMessage") is not None:
        said.add("failure")
    if text(event, "responseElements", "_return") == "false":
        said.add("failure")
    for holder in ("responseElements", "serviceEventDetails", "additionalEventData"):
        members = event.get(holder)
        for key in members if isinstance(members, dict) else ():
            answer = text(members, key)
            own = key.lower() == name.lower() and answer is not None
            if own or key.lower() in AWS_SIGN_INS:
                good = (answer or "").lower() in ("success", "succeeded", "ok", "true")
                said.add("success" if good else "failure")
    if text(event, "eventType") not in (None, "AwsApiCall"):
        words = {word.lower() for word in re.findall("[A-Z]?[a-z]+|[A-Z]+", name)}
        if words & AWS_NAMES_DENIED:
            said.add("denied")
        if words & AWS_NAMES_FAILED:
            said.add("failure")
    signs_in = service in ("signin.amazonaws.com", "sso.amazonaws.com")
    if not said and signs_in and name.lower() in AWS_SIGN_INS:
        return "failure"
    return next((worst for worst in ("denied", "failure") if worst in said), "success")


# --- Kubernetes ----------------------------------------------------------------------------


def k8s(event):
    if (text(event, "kind") or "Event") != "Event":
        raise Rejected("kind")
    if not (text(event, "apiVersion") or "audit.k8s.io/").startswith("audit.k8s.io/"):
        raise Rejected("apiVersion")
    times = ("requestReceivedTimestamp", "stageTimestamp", "timestamp")
    if not any(text(event, name) for name in times):
        raise Rejected("time")
    user, verb = text(event, "user", "username"), text(event, "verb")
    if verb is None and text(event, "apiVersion") is None:
        raise Rejected("verb")
    if user is None:
        return "anonymous", "unknown", f"{k8s_noun(event)}.{verb or 'unknown'}", k8s_outcome(event)
    prefixes = [
        ("system:serviceaccount:", "service_account"),
        ("system:node:", "node"),
        ("system:anonymous", "anonymous"),
        ("system:", "system"),
        ("", "user"),
    ]
    kind = next(kind for prefix, kind in prefixes if user.startswith(prefix))
    return kind, user, f"{k8s_noun(event)}.{verb or 'unknown'}", k8s_outcome(event)


def k8s_noun(event):
    """What was asked for, with its subresource: pods/exec."""
    resource = text(event, "objectRef", "resource")
    if resource is not None:
        sub = text(event, "objectRef", "subresource")
    else:
        path = (text(event, "requestURI") or "").split("?")[0]
        # /api/V/… or /apis/GROUP/V/…, then [namespaces/NS/]RESOURCE[/NAME[/SUB]]
        found = re.match(r"/+(?:api/+[^/]+|apis/+[^/]+/+[^/]+)(?:/+(.*))?$", path)
        parts = [part for part in (found.group(1) or "").split("/") if part] if found else []
        if parts[:1] == ["namespaces"] and len(parts) > 2 and parts[2:] not in (
            ["status"],
            ["finalize"],
        ):
            parts = parts[2:]
        resource, sub = (parts + ["url"])[0], parts[2] if len(parts) > 2 else None
    return f"{resource}/{sub}" if sub else resource


def k8s_outcome(event):
    """The worst of what decision, stage, code, status and reason say."""
    said = set()
    decision = text(event, "annotations", "authorization.k8s.io/decision")
    if decision is not None and decision.lower() != "allow":
        said.add("denied" if decision.lower() == "forbid" else "failure")
    stage = text(event, "stage") or ""
    if stage == "Panic":
        said.add("failure")
    status = event.get("responseStatus")
    code = text(status, "code")
    if code is not None:
        try:
            code = float(code)
        except ValueError:
            code = 0
        if code in (401, 403):
            said.add("denied")
        else:
            said.add("success" if 100 <= code < 400 else "failure")
    word = text(status, "status")
    if word is not None:
        said.add("success" if word.lower() == "success" else "failure")
    reason = text(status, "reason")
    if reason is not None:
        said.add("denied" if reason.lower() in ("forbidden", "unauthorized") else "failure")
    if not said and stage.startswith("Response"):
        return "failure"
    return next((worst for worst in ("denied", "failure") if worst in said), "success")


# --- Linux auditd --------------------------------------------------------------------------

AUDIT_LINE = re.compile(
    r"(?:.*?node=(?P<node>\S+)\s)?.*?type=(?P<type>\S+)\s.*?"
    r"audit\((?P<stamp>\d+(?:\.\d+)?:\d+)\):?(?P<body>.*)$"
)
AUDIT_FIELD = re.compile(r"""([^\s=\x1d(,][^\s=\x1d]*)=('[^']*'|"[^"]*"|[^\s\x1d]*)""")
AUDIT_SIDE = set(
    "AVC BPRM_FCAPS CAPSET CWD EOE EXECVE FD_PAIR IPC MMAP OBJ_PID PATH PROCTITLE SOCKADDR".split()
)
# Of x86-64, as far as the trails have them.
SYSCALLS = {
    "2": "open",
    "42": "connect",
    "43": "accept",
    "59": "execve",
    "62": "kill",
    "257": "openat",
    "313": "finit_module",
}
UNSET = {"4294967295", "-1", "unset"}


def auditd(lines):
    """The records of one machine and serial are one event."""
    groups, rejected = {}, 0
    for line in lines:
        found = AUDIT_LINE.match(line)
        if found is None:
            rejected += 1
            continue
        record = (found["type"], found["body"], audit_fields(found["body"]))
        groups.setdefault((found["node"], found["stamp"]), []).append(record)
    return [audit_event(records) for records in groups.values()], rejected


def audit_fields(body):
    fields = {}
    for name, value in AUDIT_FIELD.findall(body):
        if name == "msg" and value[:1] in ("'", '"'):
            fields.update(audit_fields(value[1:-1]))
        else:
            fields[name] = value[1:-1] if value[:1] in ("'", '"') and len(value) > 1 else value
    absent = ("", "?", "(null)", "(none)")
    return {name: value for name, value in fields.items() if value not in absent}


def audit_event(records):
    first = lambda kinds: next((record for record in records if kinds(record[0])), None)
    main = first(lambda kind: kind not in AUDIT_SIDE and kind != "SYSCALL")
    main = main or first(lambda kind: kind == "SYSCALL") or records[0]
    values = lambda name: [fields[name] for _, _, fields in records if name in fields]
    users = [value for name in ("auid", "uid") for value in values(name) if value not in UNSET]
    if users:
        actor = ("user", users[0])
    elif any(kind.startswith("DAEMON_") for kind, _, _ in records):
        actor = ("service", "auditd")
    else:
        actor = ("unknown", "unknown")
    kind, _, fields = main
    if kind == "SYSCALL":
        number = fields.get("syscall", "unknown")
        known = SYSCALLS.get(number) if fields.get("arch") == "c000003e" else None
        action = f"syscall.{fields.get('SYSCALL') or known or number}"
    else:
        action = kind.lower().replace("_", ".", 1)
    denied = any(
        ("AVC" in kind and " denied " in body) or fields.get("apparmor") == "DENIED"
        for kind, body, fields in records
    )
    # The main record speaks first.
    said = [value for name in ("res", "success") for value in [fields.get(name)] + values(name)]
    said = [value for value in said if value is not None]
    if denied:
        outcome = "denied"
    elif said and said[0] in ("no", "failed", "0"):
        refused = values("exit")[:1] in (["-1"], ["-13"], ["EPERM"], ["EACCES"])
        outcome = "denied" if refused else "failure"
    else:
        outcome = "success"
    return (*actor, action, outcome)


FORMATS = {"cloudtrail": each_json(cloudtrail), "k8s": each_json(k8s), "auditd": auditd}

if __name__ == "__main__":
    main(sys.argv[1:])
