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
AWS_ANSWERS = {
    **dict.fromkeys(["success", "succeeded", "ok", "true"], "success"),
    **dict.fromkeys(["failure", "failed", "error", "false"], "failure"),
    **dict.fromkeys(["denied", "rejected", "blocked"], "denied"),
}
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
    """The worst of what the places say; how a sign-in without an answer ended is unknown."""
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
                said.add(AWS_ANSWERS.get((answer or "").lower(), "unknown"))
    if text(event, "eventType") not in (None, "AwsApiCall"):
        words = {word.lower() for word in re.findall("[A-Z]?[a-z]+|[A-Z]+", name)}
        if words & AWS_NAMES_DENIED:
            said.add("denied")
        if words & AWS_NAMES_FAILED:
            said.add("failure")
    signs_in = service in ("signin.amazonaws.com", "sso.amazonaws.com")
    if not said and signs_in and name.lower() in AWS_SIGN_INS:
        return "unknown"
    return worst(said)


def worst(said):
    """What is not understood is worse than success, and no failure."""
    return next((word for word in ("denied", "failure", "unknown") if word in said), "success")


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
        said.add("denied" if decision.lower() == "forbid" else "unknown")
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
            known = "success" if 100 <= code < 400 else "failure"
            said.add(known if 100 <= code < 600 else "unknown")
    word = text(status, "status")
    if word is not None:
        said.add({"success": "success", "failure": "failure"}.get(word.lower(), "unknown"))
    reason = text(status, "reason")
    if reason is not None:
        said.add("denied" if reason.lower() in ("forbidden", "unauthorized") else "failure")
    if not said and stage.startswith("Response"):
        return "unknown"
    return worst(said)


# --- Linux auditd --------------------------------------------------------------------------

AUDIT_SIDE = set(
    """AVC_PATH BPRM_FCAPS CAPSET CWD EOE EXECVE FD_PAIR IPC IPC_SET_PERM KERNEL_OTHER
    LANDLOCK_DOMAIN MAC_OBJ_CONTEXTS MAC_TASK_CONTEXTS MMAP MQ_GETSETATTR MQ_NOTIFY MQ_OPEN
    MQ_SENDRECV OBJ_PID OPENAT2 PATH PROCTITLE SOCKADDR SOCKETCALL""".split()
)
AUDIT_DECIDING = set("AVC FANOTIFY IPE_ACCESS LANDLOCK_ACCESS SELINUX_ERR".split())
# Types that always say how it ended, and begin so; USER_TTY and decisions do not.
AUDIT_OF_PROGRAMS = (
    "USER_ CRED_ USYS_ ADD_USER ADD_GROUP DEL_USER DEL_GROUP GRP_ SYSTEM_ SERVICE_ ACCT_ ANOM_LOGIN_ "
    "RESP_ ROLE_ CRYPTO_ VIRT_ SOFTWARE_ INTEGRITY_DATA MAC_CHECK"
).split()
# As far as the trails have them, and of system calls those of x86-64.
AUDIT_TYPES = {
    "1300": "SYSCALL",
    "1302": "PATH",
    "1400": "AVC",
    "1420": "IPE_ACCESS",
    "1425": "MAC_TASK_CONTEXTS",
    "1426": "MAC_OBJ_CONTEXTS",
}
SYSCALLS = {
    "2": "open",
    "42": "connect",
    "43": "accept",
    "59": "execve",
    "62": "kill",
    "87": "unlink",
    "257": "openat",
    "313": "finit_module",
    "437": "openat2",
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
AUDIT_SEPARATOR = r"(?:\x1d|\#035|\\035|\^\]|\\x1[dD]|\\u001[dD]|<0x1[dD]>|\u241d)"
AUDIT_NAMES = re.compile(
    AUDIT_SEPARATOR + r"""?(?:[ \t]*[A-Z_-]+=(?:"[^"]*"|[^ \t\x1d]*))*[ \t]*""", re.VERBOSE
)
# What may stand before a record in syslog.
AUDIT_SYSLOG = re.compile(
    r"""(?:(?:<\d+>)?(?:[A-Z][a-z]{2}\ +\d+\ [\d:]+|\d{4}-\d\d-\d\dT\S+)\ (?:\S+\ )?)?
    (?:(?:kernel|audit|audispd(?:\[\d+\])?|audisp-syslog(?:\[\d+\])?):\ *)?
    (?:\[[\ \w.:]+\]\ *)?(?:audit:\ *)?""",
    re.VERBOSE,
)


def auditd(lines):
    """The records of one machine and serial are one event."""
    groups, rejected = {}, 0
    for line in lines:
        if line == "----" or line.startswith("time->"):
            continue  # what ausearch adds
        before, _, after = line.partition("audit(")
        stamp, closed, body = after.partition(")")
        head = re.fullmatch(r"(.*?)(?:node=(\S+) )?type=(\S+) (?:msg=)?", before)
        trusted = head and AUDIT_SYSLOG.fullmatch(head[1])
        if not closed or not AUDIT_STAMP.fullmatch(stamp) or not trusted:
            rejected += 1
            continue
        kind = head[3].removeprefix("UNKNOWN[").removesuffix("]")
        record = AuditRecord(AUDIT_TYPES.get(kind, head[3]), body.removeprefix(":"))
        groups.setdefault((head[2], stamp), []).append(record)
    return [audit_event(records) for records in groups.values()], rejected


class AuditRecord:
    """A record in its three parts: what the kernel says, a program, and auditd."""

    def __init__(self, kind, body):
        self.kind, self.body, self.message = kind, body, None
        self.outer, self.of_message, self.enriched = [], [], []
        part, rest = self.outer, body.lstrip(AUDIT_BLANKS)
        while rest:
            if separator := re.match(AUDIT_SEPARATOR, rest):
                part, rest = self.enriched, rest[separator.end() :]
            elif part is self.outer and rest.startswith(("msg='", 'msg="')):
                end = message_end(rest[5:], rest[4])
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


def message_end(inside, quote):
    """The quote behind which nothing follows but names that auditd adds."""
    text = inside.rstrip(AUDIT_BLANKS)
    if quote == "'" and text.endswith(quote):
        return len(text) - 1
    for found in re.finditer(quote, inside):
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
    def rank(record):
        if record.kind == "SYSCALL":
            return 1
        if record.kind in AUDIT_DECIDING or record.kind.startswith("APPARMOR"):
            return 2
        return 3 if record.kind.startswith("UNKNOWN[") else 4 if record.kind in AUDIT_SIDE else 0

    main = min(records, key=rank)
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
    """The worst that any record says; how what is not understood ended is unknown."""
    said, strange = set(), all(record.kind in AUDIT_SIDE for record in records)
    for record in records:
        decision = audit_decision(record)
        said.update({decision} & {"denied", "failure"})
        ends = [AUDIT_WORDS.get((end or "").lower()) for end in record.ends()]
        said.update(end for end in ends if end)
        must = record.message is not None or record.kind.startswith(tuple(AUDIT_OF_PROGRAMS))
        must = (must and record.kind != "USER_TTY") or record.kind in ("SYSCALL", "URINGOP")
        silent = must and decision is None and not ends
        strange = strange or None in ends or silent or decision == "strange"
    if "denied" not in said and "failure" in said:
        refused = {"-1", "-13", "EPERM", "EACCES"}
        return "denied" if exits and exits[0].split("(")[0] in refused else "failure"
    return "denied" if "denied" in said else "unknown" if strange else "success"


def audit_decision(record):
    """What a module decided: denied, failure, passed or strange; None if it is no decision."""
    kind, fields = record.kind, record.outer if record.message is None else record.of_message
    values = lambda name: [value for field, value in fields if field == name]
    first = lambda name: (values(name) + [None])[0]
    head = re.split("[={]", record.body if record.message is None else record.message)[0].split()
    if kind == "LANDLOCK_ACCESS":
        return "denied"
    if kind == "FANOTIFY":
        return "passed" if first("resp") == "1" else "denied"
    if kind == "SECCOMP":
        return "passed" if first("code") in ("0x7ffc0000", "0x7fff0000") else "denied"
    if kind == "NETFILTER_PKT" and values("action"):
        return {"0": "passed", "1": "denied", "2": "denied"}.get(first("action"), "strange")
    if kind == "IPE_ACCESS":
        action = (first("rule") or "").split(" ")[-1]
        denies = "passed" if first("enforcing") == "0" else "denied"
        return {"action=ALLOW": "passed", "action=DENY": denies}.get(action, "strange")
    if kind == "SELINUX_ERR":
        return "denied" if first("seresult") == "denied" else "failure"
    if kind not in ("AVC", "USER_AVC"):
        return None
    if head[:1] == ["avc:"]:
        if "denied" in head:
            # Behind the texts of subjects stands tclass=, and directly behind it permissive=.
            last = max((at for at, (name, _) in enumerate(fields) if name == "tclass"), default=-2)
            return "passed" if ("permissive", "1") in fields[last + 1 : last + 2] else "denied"
        return "passed" if head[1:2] in (["granted"], ["received"], ["op"]) else "strange"
    if values("apparmor"):
        word = first("apparmor")
        if word in ("DENIED", "KILLED"):
            return "denied"
        in_error = word == "ERROR" or (word != "ALLOWED" and set(values("error")) - {"0"})
        known = word in ("ALLOWED", "AUDIT", "HINT", "STATUS", "ERROR")
        return "strange" if not known else "failure" if in_error else "passed"
    return {"granted": "passed", "denied": "denied"}.get(first("action"), "strange")


FORMATS = {"cloudtrail": each_json(cloudtrail), "k8s": each_json(k8s), "auditd": auditd}

if __name__ == "__main__":
    main(sys.argv[1:])
