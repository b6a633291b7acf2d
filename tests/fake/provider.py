#!/usr/bin/env python3
"""A scripted HTTP provider: each vendor's shape, and every way to misbehave, on a free port of loopback.

Apart from the tests, because unit tests, server tests and benchmarks use the same one. It prints one line of JSON with its
`url` (and `ca` with --tls) and lives until its standard input ends.

  GET  /_requests           what came, oldest first: method, path, query, headers, body, connection, action, signature
  POST /_script  [[PATH, ACTION], ...]   the next request whose path contains PATH does ACTION instead; each entry once
  POST /_default {"approve_after": S, "push": "approve"|"deny"|"wait", "action": ACTION, "password": Auth0's, null for any}
  POST /_reset

Actions: ok, status:N, 429:N, 429:date:N, 429:none, x429:N, slow:S, silent, close, cut, reset, redirect, malformed, notjson, wrongtypes,
numbers, control, oversized, headers, drip, and a vendor's own words, which are below where it answers.
"""
import argparse
import asyncio
import base64
import datetime
import email.utils
import hashlib
import hmac
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse

DUO_IKEY = "DIEXAMPLEIKEY0000001"
DUO_SKEY = "k3yForTestsOnly000000000000000000000000000"
AWS_KEY = "AKIDEXAMPLE"
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TWILIO_SID = "AC00000000000000000000000000000001"
TWILIO_TOKEN = "twilio-token"
EVIL_ID = "../_reset?a=b&c#d e%0d%0a{id}\r\nX-Evil: 1\"\\"
CONTROL = "text \x1b[31m\x00\r\nX-Evil: 1\x7f \x9b and code 708"


class State:
    def __init__(self):
        self.reset()

    def reset(self):
        self.requests = []
        self.script = []
        self.default = {"approve_after": 0.0, "push": "approve", "action": "ok", "password": "right & wrong"}
        self.asked = {}
        self.serial = 0

    def next_id(self, prefix):
        self.serial += 1
        return "%s%08d" % (prefix, self.serial)

    def action(self, path):
        for i, (where, what) in enumerate(self.script):
            if where in path:
                del self.script[i]
                return what
        return self.default["action"]

    def ask(self, ident):
        self.asked[ident] = time.monotonic()

    def answer(self, ident):
        """What the person has said by now: waiting, allow, deny or unknown."""
        if ident not in self.asked:
            return "unknown"
        if self.default["push"] == "wait" or time.monotonic() - self.asked[ident] < self.default["approve_after"]:
            return "waiting"
        return "allow" if self.default["push"] == "approve" else "deny"


state = State()


class Request:
    def __init__(self, method, target, headers, body, connection):
        parts = urllib.parse.urlsplit(target)
        self.method, self.path, self.query = method, parts.path, parts.query
        self.headers, self.body, self.connection = headers, body, connection
        text = body.decode("utf-8", "replace") if method != "GET" else self.query
        self.form = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
        try:
            self.json = json.loads(body) if body else {}
        except ValueError:
            self.json = {}

    def basic(self):
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        return base64.b64decode(value).decode() if scheme == "Basic" else ""

    def bearer(self):
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        return value if scheme == "Bearer" else ""


def reply(status, value, headers=()):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    kind = "application/json" if not isinstance(value, bytes) else "text/plain"
    return status, [("Content-Type", kind), *headers], body


# ---- vendors: each takes a request and an action of its own, and returns a reply ----

def kannel(request, action):
    if request.form.get("username") != "kannel" or request.form.get("password") != "pass&word":
        return reply(403, b"Authorization failed for sendsms")
    return {
        "ok": reply(202, b"0: Accepted for delivery"),
        "queued": reply(202, b"3: Queued for later delivery"),
        "unroutable": reply(403, b"Not routable. Do not try again."),
        "temporal": reply(503, b"Temporal failure, try again later."),
    }.get(action)


def vonage(request, action):
    if request.form.get("api_key") != "key" or request.form.get("api_secret") != "secret":
        action = "4"
    status = "0" if action == "ok" else action
    message = {"to": request.form.get("to", ""), "message-id": state.next_id("0C"), "status": status}
    if status != "0":
        message = {"status": status, "error-text": "error " + status}
    return reply(200, {"message-count": "1", "messages": [message]})


def twilio(request, action):
    if request.basic() != TWILIO_SID + ":" + TWILIO_TOKEN:
        return reply(401, {"code": 20003, "message": "Authenticate", "status": 401})
    if action == "ok":
        return reply(201, {"sid": state.next_id("SM"), "status": "queued", "error_code": None, "error_message": None,
                           "to": request.form.get("To"), "num_segments": "1"})
    if action.isdigit():  # an error code
        status = 429 if action == "20429" else 403 if action == "20003" else 400
        return reply(status, {"code": int(action), "message": "error", "status": status})
    if action in ("failed", "undelivered"):
        return reply(201, {"sid": state.next_id("SM"), "status": action})
    return None


def sns_signature(request):
    """Signature version 4, computed again from what arrived."""
    auth = request.headers.get("authorization", "")
    if not auth.startswith("AWS4-HMAC-SHA256 "):
        return False
    fields = dict(f.strip().split("=", 1) for f in auth.split(" ", 1)[1].split(","))
    key, day, region, service, end = fields["Credential"].split("/")
    signed = fields["SignedHeaders"].split(";")
    if any(h not in request.headers for h in signed):
        return False  # what is signed has to be sent
    canonical = "\n".join([
        request.method, request.path, request.query,
        "".join("%s:%s\n" % (h, request.headers.get(h, "").strip()) for h in signed),
        fields["SignedHeaders"], hashlib.sha256(request.body).hexdigest()])
    scope = "/".join((day, region, service, end))
    text = "\n".join(["AWS4-HMAC-SHA256", request.headers.get("x-amz-date", ""), scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    k = ("AWS4" + AWS_SECRET).encode()
    for part in (day, region, service, end):
        k = hmac.new(k, part.encode(), hashlib.sha256).digest()
    good = hmac.new(k, text.encode(), hashlib.sha256).hexdigest()
    return key == AWS_KEY and service == "sns" and hmac.compare_digest(good, fields["Signature"])


def sns(request, action):
    def error(status, code):
        return reply(status, ("<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>m</Message></Error>"
                              "</ErrorResponse>" % code).encode())
    if not sns_signature(request):
        return error(403, "SignatureDoesNotMatch")
    if action == "ok":
        return reply(200, ("<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult><MessageId>%s"
                           "</MessageId></PublishResult></PublishResponse>" % state.next_id("id-")).encode())
    return error({"Throttling": 400, "InternalError": 500}.get(action, 400), action) if action[:1].isupper() else None


def auth0(request, action):
    def error(status, word, text="m"):
        return reply(status, {"error": word, "error_description": text})
    form = request.form if "form" in request.headers.get("content-type", "") else request.json
    if action[:1].islower() and "_" in action:
        status = {"authorization_pending": 403, "slow_down": 429, "expired_token": 401}.get(action, 403)
        return error(status, action)
    if action == "nomfa":
        return reply(200, {"access_token": "x", "token_type": "Bearer"})
    if request.path == "/mfa/authenticators":
        if not request.bearer().startswith("Fe26."):
            return error(401, "invalid_token")
        if action == "none":
            return reply(200, [])
        if action == "sms":
            return reply(200, [{"id": "sms|dev_s", "authenticator_type": "oob", "active": True, "oob_channel": "sms"}])
        return reply(200, [
            {"id": "totp|dev_t", "authenticator_type": "otp", "active": True},
            {"id": "push|dev_old", "authenticator_type": "oob", "active": False, "oob_channel": "auth0"},
            {"id": "push|dev_1", "authenticator_type": "oob", "active": True, "oob_channel": "auth0", "name": "phone"},
            {"id": "push|dev_2", "authenticator_type": "oob", "active": True, "oob_channel": "auth0", "name": "tablet"}])
    if form.get("client_id") != "client" or form.get("client_secret") != "client-secret":
        return error(401, "invalid_client")
    if request.path == "/mfa/challenge":
        if not str(form.get("mfa_token", "")).startswith("Fe26.") or form.get("challenge_type") != "oob":
            return error(400, "unsupported_challenge_type")
        if action == "prompt":
            return reply(200, {"challenge_type": "oob", "oob_code": "Fe26.oob", "binding_method": "prompt"})
        code = state.next_id("Fe26.2*oob*")
        state.ask(code)
        return reply(200, {"challenge_type": "oob", "oob_code": code})
    grant = form.get("grant_type", "")
    if grant.endswith("mfa-oob"):
        said = state.answer(form.get("oob_code", ""))
        if said == "allow":
            return reply(200, {"access_token": "a", "id_token": "i", "scope": "s", "expires_in": 600, "token_type": "Bearer"})
        if said == "waiting":
            return error(403, "authorization_pending", "Authorization pending: please repeat the request in a few seconds.")
        return error(403, "invalid_grant", "MFA Authorization rejected.")
    if state.default["password"] not in (None, form.get("password")):
        return error(403, "invalid_grant", "Wrong email or password.")
    return reply(403, {"error": "mfa_required", "error_description": "Multifactor authentication required",
                       "mfa_token": state.next_id("Fe26.2*mfa*") + "~-_" * 200})


def duo_signature(request):
    params = "&".join(sorted("%s=%s" % (urllib.parse.quote(k, safe="-_.~"), urllib.parse.quote(v, safe="-_.~"))
                             for k, v in request.form.items()))
    date = request.headers.get("x-duo-date") or request.headers.get("date", "")
    host = request.headers.get("host", "").split(":")[0].lower()
    canon = "\n".join([date, request.method, host, request.path, params])
    good = DUO_IKEY + ":" + hmac.new(DUO_SKEY.encode(), canon.encode(), hashlib.sha512).hexdigest()
    parsed = email.utils.parsedate_to_datetime(date).timestamp() if date else 0
    return hmac.compare_digest(good, request.basic()) and abs(parsed - time.time() - duo_offset) < 300


duo_offset = 0.0


def duo(request, action):
    def ok(value):
        return reply(200, {"stat": "OK", "response": value})

    def fail(status, code):
        return reply(status, {"stat": "FAIL", "code": code, "message": "m", "message_detail": "d"})
    call = request.path.rsplit("/", 1)[1]
    if action.isdigit() and len(action) == 5:
        return fail(int(action[:3]), int(action))
    if call == "ping":
        return ok({"time": int(time.time() + duo_offset)})
    if not duo_signature(request):
        return fail(401, 40103)
    if action == "missing":
        return reply(200, {"stat": "OK"})
    if call == "preauth":
        if action in ("allow", "deny", "enroll"):
            return ok({"result": action, "status_msg": "status of " + action})
        if "client_supports_verified_push" in request.form:
            if action == "verified":
                return ok({"result": "auth", "status_msg": "m", "txid": "pre-1",
                           "prompt": {"text": "t", "factors": {"default": "verified_push1", "1": "verified_push1", "2": "sms1"}}})
            return ok({"result": "auth", "status_msg": "m",
                       "prompt": {"text": "t", "factors": {"default": "push1", "1": "push1", "2": "phone1"}}})
        return ok({"result": "auth", "status_msg": "Account is active"})
    if call == "auth":
        txid = state.next_id("45f7c92b-f45f-4862-8545-")
        state.ask(txid)
        return ok({"txid": txid})
    if call == "auth_status":
        said = state.answer(request.form.get("txid", ""))
        if action in ("waiting", "allow", "deny", "strange"):
            said = action
        status = {"allow": "allow", "deny": "deny", "waiting": "pushed"}.get(said, "x")
        if action in ("timeout", "fraud", "push_failed", "locked_out"):
            said, status = "deny", action
        text = "Please enter verification code 708 into Duo Mobile..." if said == "waiting" else "done"
        if action == "control":
            said, text = "waiting", CONTROL.replace("code", "verification code")
        return ok({"auth_delayed": False, "result": said, "status": status, "status_msg": text})
    return fail(404, 40401)


def generic_push(request, action):
    if request.headers.get("authorization") not in ("Bearer push-token", None):
        return reply(401, {"error": "token"})
    words = {"approved": "approved", "denied": "denied", "expired": "expired", "waiting": "waiting", "refused": "refused"}
    if request.method == "POST":
        if action in words:
            return reply(200, {"result": words[action]})
        if action == "noid":
            return reply(200, {"result": "waiting"})
        ident = state.next_id(EVIL_ID if action == "evilid" else "push/")
        state.ask(ident)
        value = {"id": ident, "result": "waiting"}
        if action == "show":
            value["show"] = "Enter 42 on the phone"
        if action == "control":
            value["show"] = CONTROL
        return reply(201, value)
    if action in words:
        return reply(200, {"result": words[action]})
    said = state.answer(urllib.parse.unquote(request.path.split("/push/", 1)[1]))
    return reply(200, {"result": {"allow": "approved", "deny": "denied", "waiting": "waiting"}.get(said, "strange")})


def plain(request, action):
    return reply(200, b"OK id=" + state.next_id("m").encode()) if action == "ok" else None


VENDORS = [("/cgi-bin/sendsms", kannel), ("/sms/json", vonage), ("/2010-04-01/", twilio), ("/sns/", sns), ("/oauth/", auth0), ("/mfa/", auth0),
           ("/auth/v2/", duo), ("/push", generic_push), ("/plain", plain), ("/notify", plain)]


def signature(request):
    if request.path.startswith("/auth/v2/") and not request.path.endswith("ping"):
        return duo_signature(request)
    return sns_signature(request) if request.path.startswith("/sns/") else None


def vendor_reply(request, action):
    for prefix, vendor in VENDORS:
        if request.path.startswith(prefix):
            return vendor(request, action)
    return reply(404, {"error": "not found"})


def common_reply(request, action):
    """Actions that every vendor may do; None for one it does not know."""
    word, _, rest = action.partition(":")
    if word == "status":
        return reply(int(rest), {"error": "status", "code": 1, "message": "status"})
    if word in ("429", "x429"):
        name = "X-Retry-After" if word == "x429" else "Retry-After"
        value = []
        if rest.startswith("date:"):
            at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=float(rest[5:]))
            value = [(name, email.utils.format_datetime(at.replace(microsecond=0), usegmt=True))]
        elif rest != "none":
            value = [(name, rest)]
        return reply(429, {"stat": "FAIL", "error": "too_many_requests", "code": 42901, "message": "slow"}, value)
    if word == "redirect":
        return reply(302, b"", [("Location", "/plain/elsewhere")])
    if word == "notjson":
        return reply(200, b"<html>welcome to the hotel network</html>")
    if word == "wrongtypes":
        return reply(200, {"stat": 1, "response": [1], "error": {"a": 1}, "mfa_token": 7, "oob_code": [], "id": {}, "result": [None],
                           "status": {}, "messages": "x", "sid": False, "show": 5})
    if word == "numbers":
        return reply(200, ('{"stat":"OK","response":{"time":%s,"txid":%s,"result":1e400},"code":%s,"id":-1e308,"expires_in":%s}' % (
            "9" * 400, "9" * 30, "9" * 50, "-" + "9" * 400)).encode())
    if word == "control" and not request.path.startswith(("/auth/v2/", "/push")):
        return reply(400, {"error": CONTROL, "error_description": CONTROL, "message": CONTROL, "code": 1})
    if word == "oversized":
        return reply(200, b'{"id":"' + b"x" * 200000 + b'"}')
    if word == "full":
        return reply(200, b'{"id":"' + b"x" * 65527 + b'"}')
    if word == "headers":
        return reply(200, {}, [("X-Long-%d" % i, "x" * 1000) for i in range(200)])
    return None


async def misbehave(request, action, writer):
    """Breaks the connection in some way. True when it did."""
    word, _, rest = action.partition(":")
    whole = None
    if word in ("cut", "truncated", "drip"):
        whole = vendor_reply(request, "ok") or reply(200, {})
    if word == "silent":
        await asyncio.sleep(float(rest or 3600))
    elif word == "close":
        pass
    elif word == "cut":
        writer.write(head(*whole[:2], len(whole[2]) + 100) + whole[2])
    elif word == "malformed":
        writer.write(b"\x16\x03\x01 not HTTP at all\r\n\r\n")
    elif word == "truncated":
        writer.write(head(*whole[:2], len(whole[2]) // 2) + whole[2][:len(whole[2]) // 2])
        return False
    elif word == "reset":
        writer.transport.abort()
    elif word == "drip":
        for octet in head(*whole[:2], len(whole[2])) + whole[2]:
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0.1)
    else:
        return False
    return True


def head(status, headers, length):
    names = "".join("%s: %s\r\n" % h for h in headers)
    date = email.utils.formatdate(usegmt=True)
    return ("HTTP/1.1 %d Status\r\nDate: %s\r\nContent-Length: %d\r\n%s\r\n" % (status, date, length, names)).encode()


def control(request):
    if request.path == "/_requests":
        return reply(200, state.requests)
    if request.path == "/_reset":
        state.reset()
    elif request.path == "/_script":
        state.script.extend(json.loads(request.body))
    elif request.path == "/_default":
        state.default.update(json.loads(request.body))
    else:
        return reply(404, {})
    return reply(200, {})


async def read_request(reader, connection):
    line = (await reader.readline()).decode("latin-1").strip()
    if not line:
        return None
    method, target, _ = line.split(" ", 2)
    headers = {}
    while True:
        line = (await reader.readline()).decode("latin-1").strip()
        if not line:
            break
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body, connection)


async def answer(request, writer):
    action = state.action(request.path)
    state.requests.append({
        "method": request.method, "path": request.path, "query": request.query, "headers": request.headers,
        "body": request.body.decode("utf-8", "replace"), "connection": request.connection, "action": action,
        "signature": signature(request), "at": time.time()})
    word, _, rest = action.partition(":")
    if word == "slow":
        await asyncio.sleep(float(rest))
        action = "ok"
    if await misbehave(request, action, writer):
        return False
    if word != "truncated":
        status, headers, body = common_reply(request, action) or vendor_reply(request, action) or reply(500, {"error": "no such action"})
        writer.write(head(status, headers, len(body)) + body)
    return True


connections = 0


async def serve(reader, writer):
    global connections
    connections += 1
    number = connections
    try:
        while True:
            request = await read_request(reader, number)
            if request is None:
                break
            if request.path.startswith("/_"):
                status, headers, body = control(request)
                writer.write(head(status, headers, len(body)) + body)
            elif not await answer(request, writer):
                break
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ValueError):
        pass
    finally:
        writer.close()


def make_tls(folder, name):
    """A certificate of its own for `name`; returns the context and the file that trusts it."""
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    kind = "IP" if name[0].isdigit() else "DNS"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=" + name, "-addext", "subjectAltName=%s:%s" % (kind, name), "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, cert


async def main():
    global duo_offset
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tls", action="store_true", help="speak TLS with a certificate made for this run")
    parser.add_argument("--name", default="127.0.0.1", help="whom that certificate is for")
    parser.add_argument("--duo-offset", type=float, default=0.0, help="seconds that Duo's clock is ahead")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    duo_offset = options.duo_offset
    with tempfile.TemporaryDirectory() as folder:
        context, ca = make_tls(folder, options.name) if options.tls else (None, None)
        server = await asyncio.start_server(serve, "127.0.0.1", options.port, ssl=context, backlog=4096)
        port = server.sockets[0].getsockname()[1]
        print(json.dumps({"url": "%s://127.0.0.1:%d" % ("https" if context else "http", port), "ca": ca}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
