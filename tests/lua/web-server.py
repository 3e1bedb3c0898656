#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""web-server.py FOLDER: servers for tests of the modules that speak to the network, on the loopback interface.

Writes FOLDER/ports, shell variables, when all are there; FOLDER/socket is one more. Ends with its standard input.
FOLDER/tls.pem (key and certificate), if there is one, is for HTTPS.
"""
import base64
import gzip
import http.server
import json
import os
import socketserver
import ssl
import sys
import threading
import time

folder = sys.argv[1]
lock = threading.Lock()
counts = {}
now = peak = 0
over = threading.Event()
mails = []


def count(key):
    with lock:
        counts[key] = counts.get(key, 0) + 1
        return counts[key]


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *args):
        pass

    def address_string(self):
        return "-"

    def answer(self, status, body=b"", **headers):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def break_off(self):
        self.close_connection = True

    # What is asked for: /NAME/more?n=5

    def hello(self):
        self.answer(200, "hello\n", Content_Type="text/plain", x_Odd_NAME="odd", ETag='"1"')

    def echo(self):
        told = {"method": self.command, "path": self.path, "body": self.body.decode(), "headers": {k.lower(): v for k, v in self.headers.items()}}
        self.answer(200, json.dumps(told), Content_Type="application/json")

    def size(self):
        self.answer(200, str(len(self.body)))

    def status(self):
        self.answer(int(self.words[1]), "status\n")

    def slow(self):
        count("slow")
        over.wait(30)
        self.break_off()

    def cut(self):
        count("cut")
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"only this")
        self.break_off()

    def loop(self):
        self.answer(302, Location="/loop")

    def redirect(self):
        self.answer(int(self.words[1]), Location="/echo")

    def tofile(self):
        self.answer(302, Location="file:///etc/hostname")

    def elsewhere(self):
        self.answer(302, Location="http://localhost:%d/echo" % ports["WEB_OTHER"])

    def chunked(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (b"one ", b"two ", b"three"):
            self.chunk(part)
        self.chunk(b"")

    def huge(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(256):
            self.chunk(b"x" * (1 << 20))
        self.chunk(b"")

    def gzip(self):
        self.answer(200, gzip.compress(b"unpacked"), Content_Encoding="gzip")

    def bomb(self):
        self.answer(200, gzip.compress(b"\0" * (80 << 20), 1), Content_Encoding="gzip")

    def badgzip(self):
        self.answer(200, b"no gzip", Content_Encoding="gzip")

    def oddheader(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Bytes: \xff\xfe\r\nX-Two: a\r\nx-two: b\r\nX-Folded: c\r\n d\r\nContent-Length: 2\r\n\r\nok")

    def manyheaders(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(2000)) + b"\r\n")
        self.break_off()

    def rubbish(self):
        self.wfile.write(b"\0\1\2 this is no HTTP\r\n\r\n")
        self.break_off()

    def flaky(self):
        n = count(self.path)
        if n <= 2:
            self.answer(503, "not yet\n", Retry_After="0")
        else:
            self.answer(200, "after %d\n" % n)

    def later(self):
        count(self.path)
        self.answer(429, "later\n", Retry_After="86400")

    def dropped(self):
        if count(self.path) == 1:
            self.break_off()
        else:
            self.answer(200, "at last\n")

    def counted(self):
        self.answer(200, str(counts.get("/" + "/".join(self.words[1:]), 0)))

    def private(self):
        # user:pass
        ok = self.headers.get("Authorization") in ("Basic dXNlcjpwYXNz", "Bearer t0ken")
        self.answer(200 if ok else 401, "in\n" if ok else "out\n", WWW_Authenticate='Basic realm="x"')

    def crowd(self):
        global now, peak
        with lock:
            now += 1
            peak = max(peak, now)
        time.sleep(0.002)
        with lock:
            now -= 1
        self.answer(200, "%s" % self.words[1])

    def peak(self):
        self.answer(200, str(peak))

    def mails(self):
        self.answer(200, json.dumps(mails), Content_Type="application/json")

    def hook(self):
        with lock:
            mails.append({"path": self.path, "type": self.headers.get("Content-Type"), "body": self.body.decode()})
        self.answer(204)

    def any(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.words = self.path.partition("?")[0].strip("/").split("/")
        if self.path.startswith("http://"):
            self.answer(200, "proxied " + self.path)
        elif self.words[0] in ("answer", "chunk", "any", "setup", "handle", "finish", "count", "timeout") or not hasattr(Web, self.words[0]):
            self.answer(404, "nothing\n")
        else:
            getattr(self, self.words[0])()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = any


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs: what comes is kept for /mails."""

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        mail = {"to": []}
        self.say("220 here")
        for line in self.rfile:
            word, _, rest = line.decode().strip().partition(" ")
            word = word.upper()
            if word == "EHLO":
                self.say("250-here")
                self.say("250 AUTH PLAIN")
            elif word == "AUTH":
                self.say("334 ")
                mail["auth"] = base64.b64decode(self.rfile.readline()).decode()
                self.say("535 no" if mail["auth"].endswith("wrong") else "235 welcome")
            elif word == "MAIL":
                mail["from"] = rest.partition(":")[2].strip("<> ")
                self.say("250 ok")
            elif word == "RCPT":
                if "nobody@" in rest:
                    self.say("550 no such user here")
                else:
                    mail["to"].append(rest.partition(":")[2].strip("<> "))
                    self.say("250 ok")
            elif word == "DATA":
                self.say("354 go on")
                text = b""
                for part in self.rfile:
                    if part == b".\r\n":
                        break
                    text += part
                mail["text"] = text.decode()
                with lock:
                    mails.append(mail)
                self.say("250 taken")
            elif word == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("500 what?")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *args):
        pass


class MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class LocalServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def serve(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


ports = {"WEB": serve(Server(("127.0.0.1", 0), Web)), "WEB_OTHER": serve(Server(("127.0.0.1", 0), Web)),
         "MAIL": serve(MailServer(("127.0.0.1", 0), Mail))}
if os.path.exists(folder + "/tls.pem"):
    secure = Server(("127.0.0.1", 0), Web)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + "/tls.pem")
    secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
    ports["WEB_TLS"] = serve(secure)
serve(LocalServer(folder + "/socket", Web))
with open(folder + "/ports.new", "w") as out:
    out.writelines("export %s=%d\n" % pair for pair in ports.items())
os.rename(folder + "/ports.new", folder + "/ports")
sys.stdin.read()
over.set()
