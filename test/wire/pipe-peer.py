"""A peer of the pipe in plain Python, written from docs/pipe-protocol.md: it dials HOST PORT, asks, answers, loses its link
in the middle of a body, takes the session up again, and prints what it got as JSON."""
import hashlib
import json
import os
import socket
import struct
import sys

SESSION, ACK, PING, GOAWAY, HEADERS, DATA, TRAILERS, CREDIT, RESET, UPDATE = range(1, 11)
END = 0x80
HEAD = struct.Struct('>BHBHI')
UNCOUNTED = 16_384


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def message(*fields):
    """Protobuf of (number, value): integers as varints, text and bytes with their length; defaults are left out."""
    out = b''
    for number, value in fields:
        if isinstance(value, int):
            out += b'' if value == 0 else varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def fields(data):
    """The (number, value) of a protobuf message."""
    at = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    found = []
    while at < len(data):
        tag = number()
        if tag & 7 == 0:
            found.append((tag >> 3, number()))
        elif tag & 7 == 2:
            size = number()
            found.append((tag >> 3, data[at:at + size]))
            at += size
        else:
            raise ValueError('a wire type that is not in use')
    return found


class Peer:
    def __init__(self, address):
        self.address = address
        self.id, self.secret = os.urandom(16), os.urandom(32)
        self.link = self.received = self.acked = 0
        self.established = False
        # numbered frames from the first that is not acknowledged
        self.kept, self.first = [], 1
        # bytes that may be sent on a stream, and on all behind their first 16 KiB
        self.window = self.session_credit = self.counted = 0
        self.credit, self.sent = {}, {}
        self.got, self.sizes, self.taken, self.told = {}, {}, 0, []
        self.partial = b''
        self.result, self.finished = {}, 0

    def dial(self):
        self.link += 1
        self.socket = socket.create_connection(self.address)
        self.socket.settimeout(20)
        self.buffer = b''
        self.again = len(self.partial)
        self.write(SESSION, 0, message(
            (1, 1), (2, 1), (3, self.id), (4, self.secret), (5, self.link), (6, self.received),
            (7, int(self.established)), (8, 'python'), (9, 262_144), (10, 33_554_432), (11, 100)))
        kind, _, stream, payload = self.frame()
        assert (kind, stream) == (SESSION, 0), kind
        answer = dict(fields(payload))
        assert answer[1] == 1 and answer[3] == self.id and answer[5] == self.link
        assert bool(answer.get(7, 0)) == self.established
        if not self.established:
            self.window, self.session_credit = answer[9], answer[10]
        self.established = True
        self.forget(answer.get(6, 0))
        for data in self.kept:
            self.socket.sendall(data)

    def write(self, kind, stream, payload, end=False):
        size = len(payload)
        data = HEAD.pack(size >> 16, size & 0xffff, kind | (END if end else 0), stream >> 32,
                         stream & 0xffffffff) + payload
        if kind >= HEADERS:
            self.kept.append(data)
        self.socket.sendall(data)

    def forget(self, number):
        del self.kept[:number - self.first + 1]
        self.first = number + 1

    def fill(self, size):
        while len(self.buffer) < size:
            chunk = self.socket.recv(65_536)
            if not chunk:
                raise EOFError
            self.buffer += chunk

    def frame(self):
        self.fill(10)
        high, low, kind, above, below = HEAD.unpack(self.buffer[:10])
        size, stream = high << 16 | low, above << 32 | below
        self.fill(10 + size)
        payload = self.buffer[10:10 + size]
        self.buffer = self.buffer[10 + size:]
        return kind & ~END, kind >= END, stream, payload

    def step(self):
        """Takes one frame."""
        kind, end, stream, payload = self.frame()
        if kind >= HEADERS:
            self.received += 1
            # what of it was processed before the link broke is left out
            payload, self.partial, self.again = payload[self.again:], b'', 0
        if kind == ACK:
            self.forget(struct.unpack('>Q', payload)[0])
        elif kind == PING and not end:
            self.write(PING, 0, payload, True)
        elif kind == CREDIT:
            offset = struct.unpack('>Q', payload)[0]
            if stream == 0:
                self.session_credit = max(self.session_credit, offset)
            else:
                self.credit[stream] = max(self.credit[stream], offset)
        elif kind == DATA:
            self.data(stream, payload)
        elif kind == GOAWAY:
            self.told.append(dict(fields(payload))[2].decode())
        elif kind == HEADERS and stream == 2:
            self.result['asked'] = dict(fields(payload))[2].decode()
            self.answer(stream)
        elif kind == HEADERS:
            self.result['status'] = dict(fields(payload))[1]
        elif kind == TRAILERS:
            self.result['trailers'] = [value.decode() for _, value in fields(payload)]
            self.finished += 1
        elif kind == UPDATE:
            self.result['update'] = payload.decode()
        if kind >= HEADERS and self.received - self.acked >= 2:
            self.acked = self.received
            self.write(ACK, 0, struct.pack('>Q', self.received))

    def answer(self, stream):
        self.credit[stream], self.sent[stream] = self.window, 0
        self.write(HEADERS, stream, message((1, 200), (2, 'content-type'), (2, 'text/plain')))
        self.send(stream, b'from python')
        self.finished += 1

    def data(self, stream, payload):
        body = self.got.setdefault(stream, hashlib.sha256())
        body.update(payload)
        before = self.sizes.get(stream, 0)
        after = self.sizes[stream] = before + len(payload)
        counted = max(after, UNCOUNTED) - max(before, UNCOUNTED)
        self.taken += counted
        self.write(CREDIT, stream, struct.pack('>Q', after + 262_144))
        if counted:
            self.write(CREDIT, 0, struct.pack('>Q', self.taken + 33_554_432))

    def open(self, stream, method, target, *headers):
        self.credit[stream], self.sent[stream] = self.window, 0
        self.write(HEADERS, stream, message((1, method), (2, target), *((4, text) for text in headers), (5, 30_000)))

    def send(self, stream, body):
        """Sends a body and its end, as far as credit goes at a time."""
        at = 0
        while at < len(body):
            before = self.sent[stream]
            room = self.session_credit - self.counted + max(0, UNCOUNTED - before)
            size = min(len(body) - at, self.credit[stream] - before, room, 65_536)
            if size <= 0:
                self.step()
                continue
            self.write(DATA, stream, body[at:at + size])
            at += size
            self.sent[stream] = after = before + size
            self.counted += max(after, UNCOUNTED) - max(before, UNCOUNTED)
        self.write(DATA, stream, b'', True)

    def lose(self):
        """Reads a part of the next DATA frame, processes that, and breaks the link."""
        while True:
            self.fill(10 + 1_000)
            high, low, kind, above, below = HEAD.unpack(self.buffer[:10])
            if kind & ~END == DATA and (high << 16 | low) > 1_000:
                break
            self.step()
        self.partial = self.buffer[10:10 + 1_000]
        self.got.setdefault(below, hashlib.sha256()).update(self.partial)
        before = self.sizes.get(below, 0)
        self.sizes[below] = before + 1_000
        self.taken += max(before + 1_000, UNCOUNTED) - max(before, UNCOUNTED)
        self.socket.close()


def main():
    peer = Peer((sys.argv[1], int(sys.argv[2])))
    peer.dial()
    body = bytes(i * 7 & 255 for i in range(700_000))
    peer.write(UPDATE, 0, b'{"path":"py/1",', False)
    peer.write(UPDATE, 0, b'"message":1}', True)
    peer.open(1, 'POST', '/echo', 'x-name', 'gr\u00fc\u00df')
    peer.send(1, body)
    peer.lose()
    peer.dial()
    while peer.finished < 2:
        peer.step()
    result = peer.result
    result['sent'] = hashlib.sha256(body).hexdigest()
    result['got'] = peer.got[1].hexdigest()
    # a frame of a stream that never was ends the session, by name
    peer.write(DATA, 99, b'?')
    while not peer.told:
        peer.step()
    result['told'] = peer.told
    print(json.dumps(result))


main()
