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

AUDIT_SIDE = set(
    "AVC BPRM_FCAPS CAPSET CWD EOE EXECVE FD_PAIR IPC MMAP OBJ_PID PATH PROCTITLE SOCKADDR".split()
)
# As far as the trails have them, and of system calls those of x86-64.
AUDIT_TYPES = {"1300": "SYSCALL", "1302": "PATH", "1400": "AVC"}
SYSCALLS = {
    "2": "open",
    "42": "connect",
    "43": "accept",
    "59": "execve",
    "62": "kill",
    "87": "unlink",
    "257": "openat",
    "313": "finit_module",
}
UNSET = {"4294967295", "-1", "unset"}
AUDIT_BLANKS = " \t\n\r\x0c"  # not the group separator, which Python takes for one
# What a message may say; the kernel wrote everything else.
AUDIT_OF_A_MESSAGE = set("apparmor res result".split())
AUDIT_WORDS = {
    **dict.fromkeys(["yes", "success", "successful", "succeeded", "1"], "success"),
    **dict.fromkeys(
        ["no", "failed", "fail", "failure", "authentication failure", "0"], "failure"
    ),
    **dict.fromkeys(["denied", "permission denied"], "denied"),
}
AUDIT_STAMP = re.compile(r"\d+(\.\d+)?:\d+")
AUDIT_NAMES = re.compile(
    r"""(?:\x1d|\#035|[ \t])(?:[ \t]*[A-Z_-]+=(?:"[^"]*"|[^ \t\x1d]*))*[ \t]*""", re.VERBOSE
)


def auditd(lines):
    """The records of one machine and serial are one event."""
    groups, rejected = {}, 0
    for line in lines:
        before, _, after = line.partition("audit(")
        stamp, closed, body = after.partition(")")
        words = before.split()
        values = lambda name: [word[len(name) :] for word in words if word.startswith(name)]
        kinds = values("type=")
        if not closed or not AUDIT_STAMP.fullmatch(stamp) or not kinds or not kinds[-1]:
            rejected += 1
            continue
        kind = kinds[-1].removeprefix("UNKNOWN[").removesuffix("]")
        record = AuditRecord(AUDIT_TYPES.get(kind, kinds[-1]), body.removeprefix(":"))
        groups.setdefault((*values("node=")[:1], stamp), []).append(record)
    return [audit_event(records) for records in groups.values()], rejected


class AuditRecord:
    """A record in its three parts: what the kernel says, a program, and auditd."""

    def __init__(self, kind, body):
        self.kind, self.body, self.message = kind, body, None
        self.outer, self.of_message, self.enriched = [], [], []
        part, rest = self.outer, body.lstrip(AUDIT_BLANKS)
        while rest:
            if rest.startswith(("\x1d", "#035")):
                part, rest = self.enriched, rest[1 if rest[0] == "\x1d" else 4 :]
            elif part is self.outer and rest.startswith("msg='"):
                end = message_end(rest[5:])
                self.message, rest = rest[5 : 5 + end], rest[6 + end :]
                # Only what auditd adds follows a message.
                part = self.enriched
            else:
                rest = audit_field(rest, part, separated=True)
            rest = rest.lstrip(AUDIT_BLANKS)
        rest = self.message or ""
        while rest := rest.lstrip(AUDIT_BLANKS):
            rest = audit_field(rest, self.of_message, separated=False)

    def get(self, name):
        """The value of a field; the kernel's wins, and of several the first."""
        last = self.kind == "LOGIN" and name in ("auid", "ses")
        found = [value for field, value in self.outer if field == name]
        found = found[-1:] if last else found[:1]
        if not found or found[0] is None:
            found = [value for field, value in self.of_message if field == name]
            found = found[:1] if name in AUDIT_OF_A_MESSAGE else []
        return found[0] if found else None

    def ends(self):
        """What it says of its end: of a message the last, behind the texts of subjects."""
        outer = [value for name, value in self.outer if name in ("res", "result", "success")]
        return outer + [value for name, value in self.of_message if name in ("res", "result")][-1:]


def message_end(inside):
    """The ' behind which nothing follows but names that auditd adds."""
    text = inside.rstrip(AUDIT_BLANKS)
    if text.endswith("'"):
        return len(text) - 1
    for found in re.finditer("'", inside):
        if AUDIT_NAMES.fullmatch(inside, found.end()):
            return found.start()
    return len(inside)


def audit_field(text, fields, separated):
    """Adds the field at the start of the text, if it is one, and gives what follows."""
    ends = "\x1d" if separated else ""
    name = re.match(f"[^{AUDIT_BLANKS}={ends}]*", text)[0]
    rest = text[len(name) :]
    if not rest.startswith("="):
        return rest
    rest, name = rest[1:], name.lstrip("(,")
    quoted = re.match('"([^"]*)"', rest)
    if quoted:
        fields.append((name, quoted[1] if quoted[1] not in ("", "?") else None))
        return rest[quoted.end() :]
    value = re.match(f"[^{AUDIT_BLANKS}{ends}]*", rest)[0]
    if separated:
        value = value.split("#035")[0]
    behind = rest[len(value) :]
    value = value.rstrip(",'")
    value = value if value.startswith("(") else value.rstrip(")")
    if name in ("res", "result"):
        fields.append((name, value + more_words(behind, rest[len(value) :][:1])))
    else:
        fields.append((name, None if value in ("", "?", "(null)", "(none)") else value))
    return behind


def more_words(behind, closed):
    """The words of a result behind the first, up to what closes it or the next field."""
    words = []
    if not closed or closed in AUDIT_BLANKS:
        for word in re.split(f"[{AUDIT_BLANKS}]+", behind.split("\x1d")[0].strip(AUDIT_BLANKS)):
            if not word or "=" in word or word[0] in ",)'#":
                break
            words.append(word.rstrip(",)'"))
            if word[-1] in ",)'":
                break
    return "".join(f" {word}" for word in words)


def audit_event(records):
    first = lambda kinds: next((record for record in records if kinds(record.kind)), None)
    main = first(lambda kind: kind not in AUDIT_SIDE and kind != "SYSCALL")
    main = main or first(lambda kind: kind == "SYSCALL") or records[0]
    values = lambda name: [value for record in records if (value := record.get(name)) is not None]
    users = [value for name in ("auid", "uid") for value in values(name) if value not in UNSET]
    if users:
        actor = ("user", users[0])
    elif any(record.kind.startswith("DAEMON_") for record in records):
        actor = ("service", "auditd")
    else:
        actor = ("unknown", "unknown")
    if main.kind == "SYSCALL":
        number = main.get("syscall") or "unknown"
        known = SYSCALLS.get(number) if main.get("arch") == "c000003e" else None
        named = dict(reversed(main.outer + main.enriched)).get("SYSCALL")
        action = f"syscall.{named or known or number}"
    else:
        action = main.kind.lower().replace("_", ".", 1)
    return (*actor, action, audit_outcome(records, values("exit")[:1]))


def audit_outcome(records, exits):
    """The worst that any record says; what is not understood is a failure."""
    said, strange = set(), False
    for record in records:
        if is_denial(record):
            said.add("denied")
        ends = [AUDIT_WORDS.get((end or "").lower()) for end in record.ends()]
        said.update(end for end in ends if end)
        silent = record.message is not None and "AVC" not in record.kind and not ends
        strange = strange or None in ends or silent
    if "denied" not in said and "failure" in said:
        refused = {"-1", "-13", "EPERM", "EACCES"}
        return "denied" if exits and exits[0].split("(")[0] in refused else "failure"
    return "denied" if "denied" in said else "failure" if strange else "success"


def is_denial(record):
    """Only words before the first field count: behind it are the texts of subjects."""
    kind, fields = record.kind, record.outer if record.message is None else record.of_message
    of_a_module = "AVC" in kind or kind.startswith("APPARMOR")
    if (
        kind in ("APPARMOR_DENIED", "APPARMOR_KILL", "LANDLOCK_ACCESS")
        or (of_a_module and record.get("apparmor") == "DENIED")
        or (kind == "FANOTIFY" and record.get("resp") == "2")
        or (kind == "SECCOMP" and record.get("code") not in (None, "0x7ffc0000", "0x7fff0000"))
    ):
        return True
    text = record.body if record.message is None else record.message
    permissive = [value for name, value in fields if name == "permissive"]
    noted = bool(permissive) and set(permissive) == {"1"}
    return "AVC" in kind and "denied" in re.split("[={]", text)[0].split() and not noted


FORMATS = {"cloudtrail": each_json(cloudtrail), "k8s": each_json(k8s), "auditd": auditd}

if __name__ == "__main__":
    main(sys.argv[1:])
