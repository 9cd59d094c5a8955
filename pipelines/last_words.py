"""The one line of a step's log that says why it failed, among those of the machinery around it."""

import re
from collections.abc import Iterable

from serving.progress import FAILED

_KFP = "[KFP Executor"
# Python's last line of a traceback: our own errors are sentences and need no name.
_EXCEPTION = re.compile(r"^((?:\w+\.)*)(\w*(?:Error|Exception|Interrupt|Exit))(?:: (.*))?$")
_OURS = ("invopt.", "serving.", "pipelines.", "feature_repo.")
# KFP's driver and launcher (glog), Argo's emissary (logfmt, JSON), Go's own log.
_GLOG = re.compile(r"^([IWEF])\d{4} [\d:.]+ +\d+ [\w.]+:\d+\] ?(.*)$")
_MACHINERY = re.compile(
    r'^(?:time="|time=\S+ level=|\{"|\d{4}/\d\d/\d\d |Error: exit status|exit status \d+$)'
)
_SAYS_NOTHING = re.compile(r"^(?:.*failed to execute[a-z ]*: )?exit status \d+$")


def last_words(lines: Iterable[str]) -> str:
    """Return why a step failed, "" where its log does not say.

    The step's own sentence goes before an exception, that before an error of KFP's driver or
    launcher, and that before whatever the step printed last.

    Args:
        lines: Of the log, or its last ones.
    """
    said = raised = machinery = last = ""
    for line in lines:
        text = line.rpartition("\r")[2].strip()
        if not text or text.startswith(_KFP):
            continue
        if FAILED in text:
            said = text.partition(FAILED)[2]
        elif found := _GLOG.match(text):
            if found[1] in "EF" and not _SAYS_NOTHING.match(found[2]):
                machinery = found[2]
        elif not _MACHINERY.match(text):
            # Indented lines are of a traceback, or of the input that KFP prints as JSON.
            last = last if line[0] in " \t{}[]" else text
            raised = _exception(line) or raised
    return said or raised or machinery or last


def _exception(line: str) -> str:
    found = _EXCEPTION.match(line.rstrip())
    if found is None:
        return ""
    module, name, message = found[1], found[2], found[3] or ""
    if module.startswith(_OURS) and message:
        return message
    return f"{name}: {message}" if message else name
