# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds in a source what Python 2.6 lacks or Python 3.14 has dropped, for want of a Python 2.6 to try it on.

Runs on Python 2.7 and 3. What the running Python cannot parse is found by its own compile(); the rest by looking at
the syntax tree and the tokens. It looks for what is known, so a clean source may still be wrong; a finding never is.

What 2.6 lacks is from "What's New in Python 2.7" and the "versionadded" notes of the library reference.

    python tests/unit/target/python26.py FILE...
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import ast
import io
import string
import sys
import tokenize

FUTURE = ("absolute_import", "division", "print_function")
OURS = "ansible_collections.realip.toa.plugins.module_utils."

# Modules of the standard library that 2.6 and 3.14 both have. Others belong inside try/except ImportError.
MODULES = frozenset(
    """
    __future__ array ast atexit base64 binascii bisect bz2 calendar codecs collections contextlib copy ctypes datetime difflib errno
    fcntl fnmatch functools gc getpass glob grp gzip hashlib heapq hmac inspect io itertools json linecache locale logging math mmap
    operator os platform posixpath pprint pty pwd random re resource select shlex shutil signal site socket ssl stat string struct
    subprocess sys syslog tarfile tempfile termios textwrap threading time tokenize traceback tty types unicodedata uuid warnings weakref
    zipfile zlib xml
""".split()
)

# Names of those modules that one end of the range lacks.
NAMES = {
    "ast": "unparse get_source_segment",
    "base64": "encodestring decodestring encodebytes decodebytes b85encode b85decode a85encode a85decode",
    "collections": "OrderedDict Counter ChainMap UserDict UserList UserString abc Mapping MutableMapping Sequence MutableSequence Set "
    "MutableSet Iterable Iterator Callable Hashable Sized Container",
    "contextlib": "suppress ExitStack redirect_stdout redirect_stderr nested nullcontext chdir ContextDecorator",
    "datetime": "timezone UTC",
    "functools": "lru_cache cache cached_property total_ordering cmp_to_key singledispatch singledispatchmethod partialmethod",
    "inspect": "getargspec getfullargspec signature",
    "itertools": "accumulate batched combinations_with_replacement compress filterfalse ifilter ifilterfalse imap izip izip_longest "
    "pairwise zip_longest",
    "json": "JSONDecodeError",
    "math": "isfinite isclose gcd lcm inf nan tau prod comb perm isqrt erf erfc gamma lgamma expm1 log2 cbrt exp2 dist",
    "os": "replace scandir cpu_count fsencode fsdecode get_terminal_size getrandom memfd_create unshare setns pidfd_open sched_getaffinity "
    "getcwdu getcwdb popen2 popen3 popen4 errno getresuid getresgid setresuid setresgid set_inheritable get_inheritable pipe2 "
    "posix_fallocate sendfile waitstatus_to_exitcode copy_file_range environb get_exec_path sync fspath PathLike",
    "platform": "linux_distribution dist freedesktop_os_release popen",
    "re": "fullmatch NOFLAG RegexFlag Match Pattern",
    "resource": "prlimit",
    "shlex": "quote join",
    "shutil": "which chown disk_usage get_terminal_size make_archive unpack_archive get_archive_formats",
    "signal": "pthread_kill sigwait sigtimedwait sigpending strsignal valid_signals raise_signal Signals",
    "socket": "if_nameindex if_nametoindex sethostname create_server has_dualstack_ipv6 CMSG_LEN CMSG_SPACE send_fds recv_fds",
    "ssl": "SSLContext create_default_context wrap_socket match_hostname PROTOCOL_SSLv3 SSLZeroReturnError",
    "string": "letters lowercase uppercase maketrans join split atoi atol lower upper replace strip find",
    "struct": "iter_unpack",
    "subprocess": "run check_output getoutput getstatusoutput DEVNULL TimeoutExpired SubprocessError CompletedProcess",
    "sys": "exc_clear exc_type maxint setcheckinterval intern implementation unraisablehook exception",
    "tempfile": "TemporaryDirectory",
    "textwrap": "indent shorten",
    "threading": "get_ident main_thread Barrier get_native_id",
    "time": "monotonic perf_counter process_time thread_time time_ns monotonic_ns clock clock_gettime CLOCK_MONOTONIC CLOCK_BOOTTIME",
    "traceback": "TracebackException walk_stack clear_frames",
    "types": "SimpleNamespace MappingProxyType StringTypes ListType DictType NoneType UnionType GenericAlias",
    "uuid": "SafeUUID",
}
NAMES = dict((module, frozenset(names.split())) for module, names in NAMES.items())

# Methods that one end lacks, whatever they are called on.
METHODS = frozenset(
    """
    bit_length bit_count total_seconds to_bytes from_bytes casefold format_map isidentifier isascii removeprefix removesuffix
    viewitems viewkeys viewvalues iteritems iterkeys itervalues has_key
""".split()
)

# Built-in names that one end lacks. `unicode` and its like belong inside try/except NameError.
BUILTINS = frozenset(
    """
    memoryview ascii breakpoint aiter anext unicode basestring unichr xrange raw_input long reduce file execfile cmp reload apply buffer
    intern coerce StandardError FileNotFoundError FileExistsError PermissionError ProcessLookupError ChildProcessError NotADirectoryError
    IsADirectoryError InterruptedError BlockingIOError TimeoutError ConnectionError BrokenPipeError ConnectionAbortedError
    ConnectionRefusedError ConnectionResetError ModuleNotFoundError RecursionError StopAsyncIteration ResourceWarning ExceptionGroup
    BaseExceptionGroup
""".split()
)

# Keyword arguments that 2.6 lacks: of a method or function by its last name.
KEYWORDS = {
    "decode": "encoding errors",
    "encode": "encoding errors",
    "open": "encoding errors newline closefd opener",
    "split": "sep maxsplit flags",
    "rsplit": "sep maxsplit",
    "sub": "flags",
    "subn": "flags",
    "makedirs": "exist_ok",
    "mkdir": "exist_ok dir_fd",
    "Popen": "text encoding errors start_new_session pass_fds restore_signals process_group user group umask",
    "communicate": "timeout",
    "wait": "timeout",
    "call": "timeout",
    "check_call": "timeout",
    "print": "flush",
    "max": "default",
    "min": "default",
    "zip": "strict",
    "rmtree": "onexc dir_fd",
    "unlink": "missing_ok dir_fd",
    "stat": "follow_symlinks dir_fd",
    "copyfile": "follow_symlinks",
    "replace": "count",
    "hexlify": "sep bytes_per_sep",
    "md5": "usedforsecurity",
    "sha1": "usedforsecurity",
    "TemporaryFile": "encoding errors newline",
    "NamedTemporaryFile": "encoding errors newline delete_on_close",
    "create_connection": "source_address all_errors",
    "Thread": "daemon context",
    "sort": "cmp",
    "sorted": "cmp",
}
KEYWORDS = dict((name, frozenset(words.split())) for name, words in KEYWORDS.items())

# Context managers only since 2.7 or later.
NOT_CONTEXT_MANAGERS = frozenset(
    (
        "gzip.open",
        "gzip.GzipFile",
        "bz2.BZ2File",
        "bz2.open",
        "tarfile.open",
        "tarfile.TarFile",
        "zipfile.ZipFile",
        "subprocess.Popen",
        "socket.socket",
        "socket.create_connection",
        "os.popen",
        "mmap.mmap",
        "select.epoll",
        "select.poll",
    )
)

# Syntax that 2.6 lacks, by the name of the node that the running Python makes of it.
NODES = {
    "Set": "a set literal; write set([...])",
    "SetComp": "a set comprehension; write set(... for ...)",
    "DictComp": "a dict comprehension; write dict((k, v) for ...)",
    "JoinedStr": "an f-string",
    "TemplateStr": "a t-string",
    "NamedExpr": "an assignment expression",
    "AsyncFunctionDef": "async",
    "AsyncFor": "async",
    "AsyncWith": "async",
    "Await": "await",
    "YieldFrom": "yield from",
    "Nonlocal": "nonlocal",
    "Match": "match",
    "TryStar": "except*",
    "AnnAssign": "an annotation",
    "TypeAlias": "a type alias",
    "MatMult": "the matrix operator @",
    "Repr": "backticks",
    "Print": "the print statement",
}


def check(source, filename="<source>"):
    """Findings in a source (bytes), as sorted list of (line, message)."""
    try:
        compile(source, filename, "exec", 0, 1)
        tree = ast.parse(source, filename)
    except SyntaxError as problem:
        return [(problem.lineno or 0, "Python %d.%d cannot parse it: %s" % (sys.version_info[:2] + (problem.msg,)))]
    except ValueError as problem:
        return [(0, "it cannot be parsed: %s" % problem)]
    finder = _Finder(_bound_names(tree))
    finder.visit(tree)
    finder.check_header(tree)
    findings = set(finder.findings)
    findings.update(_check_tokens(source))
    return sorted(findings)


def _check_tokens(source):
    tokens = list(_tokens(source))
    for index, token in enumerate(tokens):
        kind, text, line = token
        name = tokenize.tok_name[kind]
        if name == "STRING":
            prefix = text[: min(text.find(quote) for quote in "'\"" if quote in text)].lower()
            if prefix not in ("", "u", "b", "r", "br"):
                yield line, "the string prefix %s" % prefix
        elif name == "NUMBER" and "_" in text:
            yield line, "an underscore in a number"
        elif name == "NUMBER" and (text[-1] in "lL" or (text[0] == "0" and text.isdigit() and text.strip("0"))):
            yield line, "a number of Python 2 alone: %s" % text
        elif text == "<>":
            yield line, "<>; write !="
        elif text == "with" and _starts_statement(tokens, index) and _has_comma(tokens, index):
            yield line, "`with` with two context managers; nest them"
        elif text == "except" and _has_comma(tokens, index):
            yield line, "`except A, e`; write `except A as e`"
        elif text == "raise" and _has_comma(tokens, index):
            yield line, "`raise A, b`; write `raise A(b)`"
        elif text == "exec" and tokens[index + 1][1] != "(" and tokens[index - 1][1] != ".":
            yield line, "the exec statement; write exec(code, names)"


def _tokens(source):
    if sys.version_info[0] > 2:
        for token in tokenize.tokenize(io.BytesIO(source).readline):
            yield token[0], token[1], token[2][0]
    else:
        for token in tokenize.generate_tokens(io.BytesIO(source).readline):
            yield token[0], token[1], token[2][0]


def _starts_statement(tokens, index):
    return (
        index == 0
        or tokenize.tok_name[tokens[index - 1][0]] in ("NEWLINE", "INDENT", "DEDENT", "NL", "COMMENT", "ENCODING")
        or (tokens[index - 1][1] in (":", ";"))
    )


def _has_comma(tokens, index):
    """Whether the clause that starts at `index` has a comma outside of brackets, before its colon or its end."""
    depth = 0
    for kind, text, _line in tokens[index + 1 :]:
        if text in ("(", "[", "{"):
            depth += 1
        elif text in (")", "]", "}"):
            depth -= 1
        elif not depth and (text in (":", ",", ";") or tokenize.tok_name[kind] == "NEWLINE"):
            return text == ","
    return False


class _Finder(ast.NodeVisitor):
    def __init__(self, bound):
        self.bound = bound  # names that the source itself gives a meaning, so that they are not the built-in ones
        self.findings = []
        self.guards = []  # names that an enclosing `if hasattr(x, "name")` or try/except makes safe; "*" for all

    def add(self, node, message):
        self.findings.append((node.lineno, message))

    def guarded(self, name):
        return any(name in names or "*" in names for names in self.guards)

    def visit_under(self, nodes, names):
        self.guards.append(names)
        self.visit_block(nodes)
        self.guards.pop()

    def visit_block(self, nodes):
        """Visit statements in their order: what follows `if not hasattr(x, "name"): raise ...` may use the name."""
        proved = 0
        for node in nodes:
            self.visit(node)
            if isinstance(node, ast.If) and isinstance(node.body[-1], (ast.Raise, ast.Return)):
                names = _tested(node.test)
                if _is_negated(node.test) or "*" in names:
                    self.guards.append(names)
                    proved += 1
        del self.guards[len(self.guards) - proved :]

    def generic_visit(self, node):
        for _field, value in ast.iter_fields(node):
            if isinstance(value, list):
                self.visit_block([item for item in value if isinstance(item, ast.AST)])
            elif isinstance(value, ast.AST):
                self.visit(value)

    def check_header(self, tree):
        found = set()
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                found.update(alias.name for alias in node.names)
        if sorted(found) != sorted(FUTURE):
            self.findings.append((1, "it must have `from __future__ import %s` and no other" % ", ".join(FUTURE)))
        metaclass = any(
            isinstance(node, ast.Assign)
            and getattr(node.targets[0], "id", "") == "__metaclass__"
            and getattr(node.value, "id", "") == "type"
            for node in tree.body
        )
        if not metaclass:
            self.findings.append((1, "it must have `__metaclass__ = type`"))

    # ---- syntax

    def visit(self, node):
        kind = type(node).__name__
        if kind in NODES:
            self.findings.append((getattr(node, "lineno", 0), NODES[kind]))
        return ast.NodeVisitor.visit(self, node)

    def visit_FunctionDef(self, node):
        arguments = node.args
        if getattr(arguments, "kwonlyargs", None):
            self.add(node, "a keyword-only argument")
        if getattr(arguments, "posonlyargs", None):
            self.add(node, "a positional-only argument")
        if any(isinstance(argument, ast.Tuple) for argument in arguments.args):
            self.add(node, "a tuple as a parameter")
        every = list(arguments.args) + [arguments.vararg, arguments.kwarg]
        if getattr(node, "returns", None) or any(getattr(argument, "annotation", None) for argument in every):
            self.add(node, "an annotation")
        if getattr(node, "type_params", None):
            self.add(node, "a type parameter")
        if _yields_and_returns(node):
            self.add(node, "a generator that returns a value")
        self.generic_visit(node)

    def visit_ClassDef(self, node):
        if getattr(node, "keywords", None):
            self.add(node, "a keyword of a class, such as metaclass=")
        if getattr(node, "type_params", None):
            self.add(node, "a type parameter")
        self.generic_visit(node)

    def visit_Raise(self, node):
        if getattr(node, "cause", None):
            self.add(node, "raise ... from")
        self.generic_visit(node)

    def visit_With(self, node):
        items = getattr(node, "items", None)
        if items is not None and len(items) > 1:
            self.add(node, "`with` with two context managers; nest them")
        for expression in [item.context_expr for item in items] if items is not None else [node.context_expr]:
            if isinstance(expression, ast.Call) and _dotted(expression.func) in NOT_CONTEXT_MANAGERS:
                self.add(node, "%s as a context manager" % _dotted(expression.func))
        self.generic_visit(node)

    def visit_Starred(self, node):
        if not getattr(node, "in_call", False):
            self.add(node, "a starred expression outside of a call")
        self.generic_visit(node)

    def visit_Dict(self, node):
        if None in node.keys:
            self.add(node, "** inside of a dict")
        self.generic_visit(node)

    # ---- names

    def visit_Import(self, node):
        for alias in node.names:
            self._check_module(node, alias.name)

    def visit_ImportFrom(self, node):
        module = node.module or ""
        if module.startswith(OURS):
            return
        if node.level or module.startswith("ansible"):
            self.add(node, "an import that no host can do: %s" % (module or "relative"))
            return
        self._check_module(node, module)
        for alias in node.names:
            self._check_name(node, module, alias.name)

    def _check_module(self, node, module):
        if module.split(".")[0] not in MODULES and not self.guarded("ImportError"):
            self.add(node, "the module %s; import it inside try/except ImportError" % module)

    def _check_name(self, node, module, name):
        if name in NAMES.get(module, ()) and not self.guarded(name) and not self.guarded("ImportError"):
            self.add(node, "%s.%s" % (module, name))

    def visit_Name(self, node):
        if node.id in BUILTINS - self.bound and isinstance(node.ctx, ast.Load) and not self.guarded("NameError"):
            self.add(node, "the built-in %s" % node.id)

    def visit_Attribute(self, node):
        if isinstance(node.value, ast.Name):
            if not self.guarded("AttributeError"):
                self._check_name(node, node.value.id, node.attr)
        if node.attr in METHODS and not self.guarded(node.attr) and not self.guarded("AttributeError"):
            self.add(node, "the method %s" % node.attr)
        if _dotted(node.value) == "sys.version_info":
            self.add(node, "a name of sys.version_info; use its numbers")
        if isinstance(node.value, ast.Call) and _dotted(node.value.func) == "os.uname":
            self.add(node, "a name of os.uname(); use its numbers")
        self.generic_visit(node)

    def visit_Call(self, node):
        name = _dotted(node.func).split(".")[-1]
        for keyword in node.keywords:
            if keyword.arg in KEYWORDS.get(name, ()):
                if not (_dotted(node.func) == "io.open" or self.guarded(keyword.arg)):
                    self.add(node, "the keyword argument %s of %s" % (keyword.arg, name))
        if getattr(node.func, "id", "") == "super" and not node.args:
            self.add(node, "super() without arguments")
        if name == "format" and isinstance(node.func, ast.Attribute):
            self._check_format(node)
        starred = [argument for argument in node.args if type(argument).__name__ == "Starred"]
        for argument in starred:
            argument.in_call = True
        if len(starred) > 1 or (starred and node.args[-1] is not starred[0]):
            self.add(node, "an argument after *arguments")
        if sum(keyword.arg is None for keyword in node.keywords) > 1:
            self.add(node, "two ** in one call")
        self.generic_visit(node)

    def _check_format(self, node):
        text = _string(node.func.value)
        if text is None:
            self.add(node, "format() of a string that is not written there; use %")
            return
        for _literal, field, spec, _conversion in string.Formatter().parse(text):
            if field is not None and (not field or field[0] in ".["):
                self.add(node, "a format field without a number; use %")
            if spec and ("{" in spec or "," in spec or "_" in spec):
                self.add(node, "a nested or grouping format")

    # ---- guards

    def visit_If(self, node):
        self._visit_branches(node.test, node.body, node.orelse)

    def visit_IfExp(self, node):
        self._visit_branches(node.test, [node.body], [node.orelse])

    def _visit_branches(self, test, yes, no):
        names = _tested(test)
        self.visit(test)
        self.visit_under(yes, names if "*" in names or not _is_negated(test) else ())
        self.visit_under(no, names if "*" in names or _is_negated(test) else ())

    def visit_Try(self, node):
        names = set()
        for handler in node.handlers:
            names.update(_names_of(handler.type))
        names &= set(("ImportError", "AttributeError", "NameError"))
        self.visit_under(node.body, names)
        for handler in node.handlers:
            self.visit_under([handler], names)
        for part in list(node.orelse) + list(getattr(node, "finalbody", ())):
            self.visit(part)

    visit_TryExcept = visit_Try  # Python 2


def _bound_names(tree):
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif type(node).__name__ == "arg":
            names.add(node.arg)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
    return names


def _tested(test):
    """Names that a condition proves to be there: hasattr(x, "name"); everything, where it asks for the version."""
    names = set()
    for node in ast.walk(test):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "hasattr" and len(node.args) == 2:
            names.add(_string(node.args[1]))
        if isinstance(node, ast.Attribute) and node.attr == "version_info":
            names.add("*")
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is) and _dotted(node.left) == "str":
            names.add("*")  # `str is bytes` asks for Python 2
    return names


def _is_negated(test):
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


def _names_of(node):
    if node is None:
        return []
    return [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]


def _dotted(node):
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return "%s.%s" % (_dotted(node.value), node.attr)
    return ""


def _string(node):
    if type(node).__name__ in ("Str", "Constant"):
        value = getattr(node, "value", None) if hasattr(node, "value") else node.s
        return value if isinstance(value, (type(""), type(u""))) else None
    return None


def _yields_and_returns(function):
    yields = returns = False
    todo = list(function.body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        yields = yields or isinstance(node, ast.Yield)
        returns = returns or (isinstance(node, ast.Return) and node.value is not None)
        todo.extend(ast.iter_child_nodes(node))
    return yields and returns


def main(paths):
    count = 0
    for path in paths:
        with open(path, "rb") as handle:
            source = handle.read()
        for line, message in check(source, path):
            print("%s:%d: %s" % (path, line, message))
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
