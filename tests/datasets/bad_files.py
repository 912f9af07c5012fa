"""Files that are no readable images, one of each kind."""

import os
import socket
import struct
import zlib

import cv2
import numpy as np


def picture(seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 255, (40, 56, 3), dtype=np.uint8)


def encode(suffix, seed=0):
    return cv2.imencode(suffix, picture(seed))[1].tobytes()


def png_header(width, height):
    """A PNG of 70 bytes that announces any number of pixels."""

    def chunk(kind, data):
        end = struct.pack('>I', zlib.crc32(kind + data))
        return struct.pack('>I', len(data)) + kind + data + end

    size = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b'IHDR', size), chunk(b'IDAT', zlib.compress(b'0'))]
    return b'\x89PNG\r\n\x1a\n' + b''.join(parts) + chunk(b'IEND', b'')


def _listen(path):
    # Too long a path for a socket fails: it is made relative to its folder.
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


BAD_FILES = {
    'empty': lambda path: path.write_bytes(b''),
    'truncated': lambda path: path.write_bytes(encode('.jpg')[:900]),
    'last byte': lambda path: path.write_bytes(encode('.jpg')[:-1]),
    'truncated png': lambda path: path.write_bytes(encode('.png')[:-14]),
    'html': lambda path: path.write_text('<html>404 Not Found</html>'),
    'zeros': lambda path: path.write_bytes(bytes(5000)),
    'header alone': lambda path: path.write_bytes(encode('.png')[:33]),
    'flipped bits': lambda path: path.write_bytes(
        bytes(b ^ 0xFF if i > 60 else b for i, b in enumerate(encode('.png')))
    ),
    'deleted': lambda path: None,
    'dangling link': lambda path: path.symlink_to('nowhere'),
    'looping link': lambda path: path.symlink_to(path.name),
    'folder': lambda path: path.mkdir(),
    'pipe': lambda path: os.mkfifo(path),
    'socket': _listen,
    'device': lambda path: path.symlink_to('/dev/zero'),
    'header of 60000 x 60000': lambda path: path.write_bytes(png_header(60000, 60000)),
    'header of 12000 x 12000': lambda path: path.write_bytes(png_header(12000, 12000)),
    'data for another size': lambda path: path.write_bytes(png_header(64, 64)),
}
