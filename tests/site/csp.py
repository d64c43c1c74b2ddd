"""
A strict Content-Security-Policy, on where settings.STRICT_CSP is (Django has such a middleware from 6.0 on).
"""

from __future__ import annotations

import secrets
from inspect import iscoroutinefunction

from django.conf import settings
from django.utils.decorators import sync_and_async_middleware

POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'"
)


@sync_and_async_middleware
def strict_csp(get_response):
    if iscoroutinefunction(get_response):

        async def middleware(request):
            mark(request)
            return protect(request, await get_response(request))

    else:

        def middleware(request):
            mark(request)
            return protect(request, get_response(request))

    return middleware


def mark(request):
    if settings.STRICT_CSP:
        request.csp_nonce = secrets.token_urlsafe(16)


def protect(request, response):
    if settings.STRICT_CSP:
        response["Content-Security-Policy"] = POLICY.format(nonce=request.csp_nonce)
    return response
