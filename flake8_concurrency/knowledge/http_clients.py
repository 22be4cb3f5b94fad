"""HTTP clients: what their calls return, and which of them wait for the network.

Checked against requests 2.34, httpx 0.28, httpx2 2.16, urllib3 2.8 (and the 1.26 spellings), aiohttp 3.14,
httplib2 0.32, requests-oauthlib 2.0, requests-toolbelt 1.0, requests-cache 1.3, requests-futures 1.1,
niquests 3.21, curl_cffi 0.16, cloudscraper 1.2, CacheControl 0.14.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.notation import FromArgument, calls, members, moved
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

_VERBS = "get options head post put patch delete request"
_ASYNC_CLIENT = "await client.{name}(...) on an httpx.AsyncClient"

_HTTPX_CLIENT = {
    "__enter__": "() -> Self",
    "close": "() -> None",
    "build_request": "() -> httpx.Request",
    **members(f"{_VERBS} send", "() -> httpx.Response"),
    "stream": "() -> contextlib.AbstractContextManager[httpx.Response]",
}
_HTTPX_ASYNC_CLIENT = {
    "__aenter__": "async () -> Self",
    "aclose": "async () -> None",
    "build_request": "() -> httpx.Request",
    **members(f"{_VERBS} send", "async () -> httpx.Response"),
    "stream": "() -> contextlib.AbstractAsyncContextManager[httpx.Response]",
}
_HTTPX_RESPONSE = {
    "json": "() -> ?",
    "text": "builtins.str",
    "content": "builtins.bytes",
    "status_code": "builtins.int",
    "raise_for_status": "() -> Self",
    "read": "() -> builtins.bytes",
    "iter_bytes": "() -> collections.abc.Iterator[builtins.bytes]",
    "iter_text": "() -> collections.abc.Iterator[builtins.str]",
    "iter_lines": "() -> collections.abc.Iterator[builtins.str]",
    "iter_raw": "() -> collections.abc.Iterator[builtins.bytes]",
    "aread": "async () -> builtins.bytes",
    "aiter_bytes": "() -> collections.abc.AsyncIterator[builtins.bytes]",
    "aiter_text": "() -> collections.abc.AsyncIterator[builtins.str]",
    "aiter_lines": "() -> collections.abc.AsyncIterator[builtins.str]",
    "aiter_raw": "() -> collections.abc.AsyncIterator[builtins.bytes]",
    "close": "() -> None",
    "aclose": "async () -> None",
}
_HTTPX_CLASSES = {
    "httpx.Client": ClassFact(members=_HTTPX_CLIENT),
    "httpx.AsyncClient": ClassFact(members=_HTTPX_ASYNC_CLIENT),
    "httpx.Response": ClassFact(members=_HTTPX_RESPONSE),
    "httpx.Request": ClassFact(),
}


def _httpx2(kind: str) -> str:
    """httpx2 is httpx under another name."""
    return kind.replace("httpx.", "httpx2.")


_RESPONSE = "() -> requests.Response"
_URLLIB3 = members("request urlopen request_encode_url request_encode_body", "() -> urllib3.BaseHTTPResponse")
_AIOHTTP = members(_VERBS, "() -> aiohttp.client._BaseRequestContextManager[aiohttp.ClientResponse]")

CLASSES: dict[str, ClassFact] = {
    "requests.Session": ClassFact(
        members={
            "__enter__": "() -> Self",
            **members(f"{_VERBS} send", _RESPONSE),
            "prepare_request": "() -> requests.PreparedRequest",
            **members("mount close", "() -> None"),
        },
    ),
    "requests.Response": ClassFact(
        members={
            "__enter__": "() -> Self",
            "json": "() -> ?",
            "text": "builtins.str",
            "content": "builtins.bytes",
            "status_code": "builtins.int",
            "ok": "builtins.bool",
            **members("raise_for_status close", "() -> None"),
            "iter_content": "() -> collections.abc.Iterator[builtins.bytes]",
            "iter_lines": "() -> collections.abc.Iterator[builtins.bytes]",
        },
    ),
    "requests.Request": ClassFact(members={"prepare": "() -> requests.PreparedRequest"}),
    "requests.PreparedRequest": ClassFact(),
    "requests.adapters.HTTPAdapter": ClassFact(members={"send": _RESPONSE, "close": "() -> None"}),
    "cloudscraper.CloudScraper": ClassFact(("requests.Session",), members={"create_scraper": "() -> Self"}),
    "requests_oauthlib.OAuth1Session": ClassFact(("requests.Session",)),
    "requests_oauthlib.OAuth2Session": ClassFact(("requests.Session",)),
    "requests_toolbelt.sessions.BaseUrlSession": ClassFact(("requests.Session",)),
    "requests_cache.CachedSession": ClassFact(("requests.Session",)),
    "requests_futures.sessions.FuturesSession": ClassFact(
        ("requests.Session",),
        members={
            "__enter__": "() -> Self",
            **members(_VERBS, "() -> concurrent.futures.Future[requests.Response]"),
        },
    ),
    "niquests.Session": ClassFact(
        members={"__enter__": "() -> Self", **members(f"{_VERBS} send", "() -> niquests.Response")},
    ),
    "niquests.AsyncSession": ClassFact(
        ("niquests.Session",),
        members={"__aenter__": "async () -> Self", **members(f"{_VERBS} send", "async () -> niquests.Response")},
    ),
    "niquests.Response": ClassFact(members={"json": "() -> ?", "raise_for_status": "() -> Self"}),
    "curl_cffi.requests.Session": ClassFact(
        members={"__enter__": "() -> Self", **members(_VERBS, "() -> curl_cffi.requests.Response")},
    ),
    "curl_cffi.requests.AsyncSession": ClassFact(
        members={"__aenter__": "async () -> Self", **members(_VERBS, "async () -> curl_cffi.requests.Response")},
    ),
    "curl_cffi.requests.Response": ClassFact(members={"json": "() -> ?", "raise_for_status": "() -> None"}),
    **_HTTPX_CLASSES,
    **{
        _httpx2(name): ClassFact(members={member: _httpx2(kind) for member, kind in fact.members.items()})
        for name, fact in _HTTPX_CLASSES.items()
    },
    "urllib3._request_methods.RequestMethods": ClassFact(members=_URLLIB3),
    "urllib3.PoolManager": ClassFact(
        ("urllib3._request_methods.RequestMethods",),
        members={
            "__enter__": "() -> Self",
            **members("connection_from_host connection_from_url", "() -> urllib3.HTTPConnectionPool"),
            "clear": "() -> None",
        },
    ),
    "urllib3.ProxyManager": ClassFact(("urllib3.PoolManager",)),
    "urllib3.HTTPConnectionPool": ClassFact(
        ("urllib3._request_methods.RequestMethods",),
        members={"__enter__": "() -> Self", "close": "() -> None"},
    ),
    "urllib3.HTTPSConnectionPool": ClassFact(("urllib3.HTTPConnectionPool",)),
    "urllib3.BaseHTTPResponse": ClassFact(
        ("io.IOBase",),
        members={
            "data": "builtins.bytes",
            "status": "builtins.int",
            "json": "() -> ?",
            "read": "() -> builtins.bytes",
            "stream": "() -> collections.abc.Iterator[builtins.bytes]",
            **members("release_conn drain_conn close", "() -> None"),
        },
    ),
    "urllib3.HTTPResponse": ClassFact(("urllib3.BaseHTTPResponse",)),
    "aiohttp.ClientSession": ClassFact(
        members={
            "__aenter__": "async () -> Self",
            **_AIOHTTP,
            "ws_connect": "() -> aiohttp.client._BaseRequestContextManager[aiohttp.ClientWebSocketResponse]",
            "close": "async () -> None",
            "closed": "builtins.bool",
        },
    ),
    # What the verbs give can be awaited and can be entered.
    "aiohttp.client._BaseRequestContextManager": ClassFact(
        ("collections.abc.Coroutine[?, ?, T]", "contextlib.AbstractAsyncContextManager[T]"), ("T",)
    ),
    "aiohttp.ClientResponse": ClassFact(
        members={
            "__aenter__": "async () -> Self",
            "status": "builtins.int",
            "ok": "builtins.bool",
            "json": "async () -> ?",
            "text": "async () -> builtins.str",
            "read": "async () -> builtins.bytes",
            "content": "aiohttp.StreamReader",
            "raise_for_status": "() -> None",
            **members("close release", "() -> ?"),
        },
    ),
    "aiohttp.StreamReader": ClassFact(
        members={
            **members("read readany readexactly readline", "async () -> builtins.bytes"),
            **members("iter_chunked iter_any", "() -> collections.abc.AsyncIterator[builtins.bytes]"),
        },
    ),
    "aiohttp.ClientWebSocketResponse": ClassFact(
        members={
            "__aenter__": "async () -> Self",
            **members("receive receive_str receive_bytes receive_json", "async () -> ?"),
            **members("send_str send_bytes send_json ping pong", "async () -> None"),
            "close": "async () -> builtins.bool",
        },
    ),
    "httplib2.Http": ClassFact(members={"request": "() -> builtins.tuple[httplib2.Response, builtins.bytes]"}),
    "httplib2.Response": ClassFact(("builtins.dict[builtins.str, ?]",)),
}

FUNCTIONS: dict[str, str] = {
    **{f"requests.{verb}": _RESPONSE for verb in _VERBS.split()},
    "requests.session": "() -> requests.Session",
    # It mounts its own adapter, which bounds nothing, and gives the session back.
    "cachecontrol.CacheControl": "() -> T",
    "cloudscraper.create_scraper": "() -> cloudscraper.CloudScraper",
    "cloudscraper.session": "() -> cloudscraper.CloudScraper",
    **{f"httpx.{verb}": "() -> httpx.Response" for verb in _VERBS.split()},
    "httpx.stream": "() -> contextlib.AbstractContextManager[httpx.Response]",
    **{f"httpx2.{verb}": "() -> httpx2.Response" for verb in _VERBS.split()},
    "httpx2.stream": "() -> contextlib.AbstractContextManager[httpx2.Response]",
    **{f"niquests.{verb}": "() -> niquests.Response" for verb in _VERBS.split()},
    **{f"curl_cffi.requests.{verb}": "() -> curl_cffi.requests.Response" for verb in _VERBS.split()},
    "urllib3.request": "() -> urllib3.BaseHTTPResponse",
    "urllib3.connection_from_url": "() -> urllib3.HTTPConnectionPool",
    "urllib3.proxy_from_url": "() -> urllib3.ProxyManager",
    "aiohttp.request": "() -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]",
}

CONSTANTS: dict[str, str] = {}

FROM_ARGUMENT: dict[str, FromArgument] = {"cachecontrol.CacheControl": FromArgument(0, "sess", "T")}

ALIASES: dict[str, str] = {
    **moved("requests.sessions", "requests", "Session session"),
    "cachecontrol.wrapper.CacheControl": "cachecontrol.CacheControl",
    **moved("requests.api", "requests", _VERBS),
    **moved("requests.models", "requests", "Response Request PreparedRequest"),
    "requests_oauthlib.oauth1_session.OAuth1Session": "requests_oauthlib.OAuth1Session",
    "requests_oauthlib.oauth2_session.OAuth2Session": "requests_oauthlib.OAuth2Session",
    "requests_cache.session.CachedSession": "requests_cache.CachedSession",
    **moved("niquests.sessions", "niquests", "Session"),
    **moved("niquests.async_session", "niquests", "AsyncSession"),
    **moved("niquests.models", "niquests", "Response"),
    **moved("curl_cffi", "curl_cffi.requests", f"Session AsyncSession Response {_VERBS}"),
    **moved("curl_cffi.requests.session", "curl_cffi.requests", "Session AsyncSession"),
    **moved("httpx._client", "httpx", "Client AsyncClient"),
    **moved("httpx._models", "httpx", "Response Request"),
    **moved("httpx._api", "httpx", f"{_VERBS} stream"),
    **moved("httpx2._client", "httpx2", "Client AsyncClient"),
    **moved("httpx2._models", "httpx2", "Response Request"),
    **moved("httpx2._api", "httpx2", f"{_VERBS} stream"),
    **moved("urllib3.poolmanager", "urllib3", "PoolManager ProxyManager proxy_from_url"),
    **moved("urllib3.connectionpool", "urllib3", "HTTPConnectionPool HTTPSConnectionPool connection_from_url"),
    **moved("urllib3.response", "urllib3", "HTTPResponse BaseHTTPResponse"),
    # Version 1.
    "urllib3.request.RequestMethods": "urllib3._request_methods.RequestMethods",
    "requests.packages.urllib3.PoolManager": "urllib3.PoolManager",
    **moved("aiohttp.client", "aiohttp", "ClientSession ClientResponse ClientWebSocketResponse request"),
    "aiohttp.client_reqrep.ClientResponse": "aiohttp.ClientResponse",
    "aiohttp.client_ws.ClientWebSocketResponse": "aiohttp.ClientWebSocketResponse",
    "aiohttp.streams.StreamReader": "aiohttp.StreamReader",
}

BLOCKING: dict[str, Blocking] = {
    **calls("requests", _VERBS, "http", _ASYNC_CLIENT),
    **calls("requests.Session", f"{_VERBS} send", "http", _ASYNC_CLIENT),
    **calls("requests.adapters.HTTPAdapter", "send", "http", "httpx.AsyncClient"),
    # Its own flow adds one request to those of Session.
    **calls("requests_oauthlib.OAuth2Session", "fetch_token refresh_token", "http", "an async OAuth 2 client"),
    **calls(
        "requests_oauthlib.OAuth1Session", "fetch_request_token fetch_access_token", "http", "an async OAuth client"
    ),
    **calls("httpx", f"{_VERBS} stream", "http", _ASYNC_CLIENT),
    **calls("httpx.Client", f"{_VERBS} send stream", "http", _ASYNC_CLIENT),
    **calls("httpx2", f"{_VERBS} stream", "http", _ASYNC_CLIENT.replace("httpx", "httpx2")),
    **calls("httpx2.Client", f"{_VERBS} send stream", "http", _ASYNC_CLIENT.replace("httpx", "httpx2")),
    **calls("niquests", _VERBS, "http", "await session.{name}(...) on a niquests.AsyncSession"),
    **calls("niquests.Session", f"{_VERBS} send", "http", "await session.{name}(...) on a niquests.AsyncSession"),
    **calls("curl_cffi.requests", _VERBS, "http", "await session.{name}(...) on a curl_cffi AsyncSession"),
    **calls("curl_cffi.requests.Session", _VERBS, "http", "await session.{name}(...) on a curl_cffi AsyncSession"),
    **calls("urllib3", "request", "http", _ASYNC_CLIENT),
    # The public classes too, so that a message names them.
    **{
        key: fact
        for owner in ("urllib3.PoolManager", "urllib3.HTTPConnectionPool", "urllib3._request_methods.RequestMethods")
        for key, fact in calls(
            owner, " ".join(_URLLIB3), "http", "await client.request(...) on an httpx.AsyncClient"
        ).items()
    },
    **calls("httplib2.Http", "request", "http", _ASYNC_CLIENT),
}

#: Overridden so that they do not block, although the base class's method does.
NOT_BLOCKING: frozenset[str] = frozenset(
    {f"requests_futures.sessions.FuturesSession.{verb}" for verb in _VERBS.split()}
    | {f"niquests.AsyncSession.{verb}" for verb in f"{_VERBS} send".split()}
)
