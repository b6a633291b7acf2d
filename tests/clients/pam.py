"""A PAM application: one conversation, with the answers given beforehand. Apart from pamtester, which wants a service file in
/etc/pam.d: pam_start_confdir takes it from a folder of the test's own."""
import ctypes
import ctypes.util

PAM = ctypes.CDLL("libpam.so.0")
LIBC = ctypes.CDLL(None)
LIBC.calloc.restype = LIBC.strdup.restype = ctypes.c_void_p
SUCCESS, ECHO_OFF, ECHO_ON = 0, 1, 2


class Message(ctypes.Structure):
    _fields_ = [("style", ctypes.c_int), ("text", ctypes.c_char_p)]


class Response(ctypes.Structure):
    _fields_ = [("text", ctypes.c_void_p), ("code", ctypes.c_int)]


CONVERSE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.POINTER(Message)),
                            ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p)


class Conversation(ctypes.Structure):
    _fields_ = [("converse", CONVERSE), ("data", ctypes.c_void_p)]


def login(confdir, service, user, answer):
    """True if authenticated, and what was shown: (style, text) pairs. answer(text) is asked at each prompt."""
    shown = []

    def converse(count, messages, responses, _):
        out = LIBC.calloc(count, ctypes.sizeof(Response))
        rows = ctypes.cast(out, ctypes.POINTER(Response))
        for i in range(count):
            style, text = messages[i].contents.style, messages[i].contents.text.decode(errors="replace")
            shown.append((style, text))
            if style in (ECHO_OFF, ECHO_ON):
                rows[i].text = LIBC.strdup(answer(text).encode())
        responses[0] = out
        return SUCCESS

    conversation = Conversation(CONVERSE(converse), None)
    handle = ctypes.c_void_p()
    started = PAM.pam_start_confdir(service.encode(), user.encode(), ctypes.byref(conversation), str(confdir).encode(),
                                    ctypes.byref(handle))
    assert started == SUCCESS, f"pam_start_confdir: {started}"
    result = PAM.pam_authenticate(handle, 0)
    PAM.pam_end(handle, result)
    return result == SUCCESS, shown
