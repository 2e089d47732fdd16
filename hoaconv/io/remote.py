"""Specifications of remote stores for tensorstore, and what its errors mean.

Credentials are always named, since the default search of tensorstore asks the metadata service of
a cloud machine, and waits for seconds where there is none.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hoaconv.errors import SpellingError

__all__ = ["ANSWER_SECONDS", "is_denied", "place_of", "reason", "spec_of", "writing_spec_of"]

RETRIES = {"max_retries": 6, "initial_delay": "500ms", "max_delay": "8s"}
"""A failed request is repeated six times, after 0.5, 1, 2, 4, 8 and 8 seconds."""

REQUESTS = 32
"""Requests of this process that are under way at once."""

ANSWER_SECONDS = 600.0
"""Seconds for which one read or write of a store may take, its repetitions included."""

_LIMITS = {
    "TENSORSTORE_CURL_CONNECT_TIMEOUT_SECONDS": "15",
    "TENSORSTORE_CURL_LOW_SPEED_TIME_SECONDS": "30",
    "TENSORSTORE_CURL_LOW_SPEED_LIMIT_BYTES": "1000",
}
"""A request ends that gets no connection in 15 s, or less than 1000 bytes a second for 30 s.

tensorstore takes these from the environment alone, when it makes its first request.
"""

_GOOGLE = "https://storage.googleapis.com"
_GOOGLE_FILE = ".config/gcloud/application_default_credentials.json"
_GOOGLE_NAMES = ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_AUTH_TOKEN_FOR_TESTING")

_STATUS = re.compile(r"(?:http_response_code='|HTTP code )(\d{3})")
_HOST = re.compile(r"Could not resolve host: ([^\s\]]+)")
_TRIES = re.compile(r"All (\d+) retry attempts failed: ")
_CODE = re.compile(r"^[A-Z_]+: ")
_BODY = re.compile(r" ?\[(?:http_response_body|x-amzn-requestid|tensorstore_spec)=.*", re.S)


def place_of(url: str) -> tuple[str, str]:
    """Return the part of a URL up to the bucket or the host, and the path below it.

    Raises
    ------
    SpellingError
        If there is no bucket or no host.

    Examples
    --------
    >>> place_of("s3://bucket/brain.zarr/0")
    ('s3://bucket', 'brain.zarr/0')
    """
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    if not host:
        what = "host" if scheme.lower().startswith("http") else "bucket"
        raise SpellingError(f"{url} names no {what}; write {scheme}://{what.upper()}/PATH")
    if scheme.lower().startswith("http"):
        if "?" in path or "#" in path:
            raise SpellingError(
                f"{url} has a ? or a #: signed addresses can't be read, since a store has many "
                "files; name the folder of the store alone"
            )
        path = unquote(path)
    return f"{scheme.lower()}://{host}", path.strip("/")


def spec_of(root: str, credentials: str | None = None) -> dict[str, Any]:
    """Return the specification of a whole bucket, or of all that a host serves.

    Parameters
    ----------
    root
        The URL up to the bucket or the host.
    credentials
        ``anonymous``, ``environment``, or ``profile:NAME``. By default the environment's where it
        has keys or a profile for S3, and else anonymous.

    Raises
    ------
    SpellingError
        If there are no such credentials.
    """
    for name, value in _LIMITS.items():
        os.environ.setdefault(name, value)
    scheme, _, bucket = root.partition("://")
    if scheme == "s3":
        return _s3(bucket, credentials)
    if scheme == "gs":
        return _gs(bucket, credentials)
    if credentials not in (None, "anonymous"):
        raise SpellingError(
            f"{root} is read without credentials; drop `credentials`, or take s3:// or gs://"
        )
    return _http(root)


def writing_spec_of(root: str) -> dict[str, Any]:
    """Return the specification of a whole bucket that is written to.

    The credentials are those of the environment.

    Raises
    ------
    SpellingError
        If there are none, or nothing can be written there.
    """
    if not root.startswith(("s3://", "gs://")):
        raise SpellingError(f"{root} can only be read; write to s3://, gs:// or a file system")
    return spec_of(root, "environment")


def _s3(bucket: str, credentials: str | None) -> dict[str, Any]:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if endpoint and not region:
        region = "us-east-1"  # which other servers than Amazon's take, or ignore
    return {
        "driver": "s3",
        "bucket": bucket,
        "aws_credentials": _of_amazon(credentials),
        **({"endpoint": endpoint.rstrip("/")} if endpoint else {}),
        **({"aws_region": region} if region else {}),
        "context": {
            "s3_request_retries": dict(RETRIES),
            "s3_request_concurrency": {"limit": REQUESTS},
        },
    }


def _of_amazon(credentials: str | None) -> dict[str, str]:
    has_keys = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= os.environ.keys()
    profile = os.environ.get("AWS_PROFILE")
    has_any = has_keys or bool(profile)
    kind, _, name = (credentials or ("environment" if has_any else "anonymous")).partition(":")
    if kind == "environment" and not has_any:
        raise SpellingError(
            "the credentials should come from the environment, which has neither AWS_ACCESS_KEY_ID "
            "and AWS_SECRET_ACCESS_KEY nor AWS_PROFILE; set them"
        )
    if kind == "environment" and not has_keys:
        kind, name = "profile", str(profile)
    return _profile(name) if kind == "profile" else {"type": kind}


def _profile(name: str) -> dict[str, str]:
    """Return the specification of a profile; tensorstore wants both files to be named."""
    files = {
        "credentials_file": os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        "config_file": os.environ.get("AWS_CONFIG_FILE", "~/.aws/config"),
    }
    paths = {key: os.path.expanduser(file) for key, file in files.items()}
    there = {key: path if os.path.isfile(path) else os.devnull for key, path in paths.items()}
    return {"type": "profile", "profile": name, **there}


def _gs(bucket: str, credentials: str | None) -> dict[str, Any]:
    base = os.environ.get("TENSORSTORE_GCS_HTTP_URL", _GOOGLE).rstrip("/")
    if credentials in (None, "anonymous"):  # tensorstore's own driver would look for credentials
        return _http(f"{base}/{bucket}")
    if credentials != "environment":
        raise SpellingError(
            f"gs://{bucket} takes no credentials of the kind {credentials}; give "
            '`credentials="environment"`, which is GOOGLE_APPLICATION_CREDENTIALS or what gcloud '
            "has stored, or anonymous"
        )
    named = any(name in os.environ for name in _GOOGLE_NAMES)
    if not named and not (Path.home() / _GOOGLE_FILE).is_file():
        raise SpellingError(
            "the credentials should come from the environment, which has no "
            "GOOGLE_APPLICATION_CREDENTIALS; set it to the file of a key, or run gcloud auth "
            "application-default login"
        )
    return {
        "driver": "gcs",
        "bucket": bucket,
        "context": {
            "gcs_request_retries": dict(RETRIES),
            "gcs_request_concurrency": {"limit": REQUESTS},
        },
    }


def _http(base: str) -> dict[str, Any]:
    context = {
        "http_request_retries": dict(RETRIES),
        "http_request_concurrency": {"limit": REQUESTS},
    }
    return {"driver": "http", "base_url": f"{base}/", "context": context}


def is_denied(error: Exception) -> bool:
    """Return whether a server has refused access."""
    return _status(error) in (401, 403) or str(error).startswith("PERMISSION_DENIED")


def reason(error: Exception, spec: Mapping[str, Any]) -> str:
    """Return in a few words why a request has failed, and what to do.

    Parameters
    ----------
    error
        As tensorstore has raised it.
    spec
        Specification of the store that was asked.
    """
    text = str(error)
    tried = _TRIES.search(text)
    where = str(spec.get("endpoint") or spec.get("base_url") or "the server")
    said = _said(error, where, str(spec.get("bucket")))
    return f"{said}, after {int(tried[1]) + 1} tries" if tried else said


def _said(error: Exception, where: str, bucket: str) -> str:
    if isinstance(error, TimeoutError):
        return f"{where} didn't answer within {ANSWER_SECONDS / 60:.0f} minutes"
    text, status = str(error), _status(error)
    if host := _HOST.search(text):
        return f"there is no network, or no server of the name {host[1]}"
    if "NoSuchBucket" in text:
        return f"there is no bucket {bucket}"
    if is_denied(error):
        return f"access is denied ({status or 403}); give `credentials`, or ask who owns the bucket"
    known = {
        "credentials provider": "there are no such credentials: see ~/.aws/credentials",
        "Could not connect": f"{where} can't be reached",
        "Timeout was reached": f"{where} has stopped answering",
        "partial file": "the transfer was cut off each time",
        "Failure when receiving": "the connection was broken each time",
        "was ignored by server": f"{where} gives no parts of files, which sharded stores need",
        "was not satisfied": f"{where} has sent another part of a file than was asked for",
        "CURL error": "the connection failed",
    }
    told = next((words for mark, words in known.items() if mark in text), None)
    if told is None and status is not None:
        return f"{where} answers {_named(status)}"
    plain = _BODY.sub("", text).partition(" [source locations")[0]
    return told or _CODE.sub("", plain)


def _status(error: Exception) -> int | None:
    found = _STATUS.search(str(error))
    return int(found[1]) if found else None


def _named(status: int) -> str:
    known = {
        404: "not found",
        416: "that a file is shorter than its index says",
        429: "too many requests",
        500: "internal error",
        501: "not implemented",
        502: "bad gateway",
        503: "service unavailable: it is overloaded or being repaired",
        504: "gateway timeout",
    }
    return f"{status} ({known[status]})" if status in known else str(status)
