# Compiles Python files. Standard input is {"cores": 2, "files": [{"source":
# path to read, "result": .pyc to write, "shown": path that the bytecode
# names}, ...]}. A file that does not compile is named on standard error and
# left out, as py3compile does: packages ship broken files on purpose, for
# their tests.
#
# What a process compiled before could show in the bytes of a file (which
# objects are shared), so the files are dealt to processes in shares of a fixed
# number, in the order given: the number of cores decides only how many of them
# run at once.
import _frozen_importlib_external as external
import _imp
import gc
import json
import os
import sys

SHARE = 32


def compile_one(source, result, shown):
    with open(source, 'rb') as f:
        data = f.read()
    try:
        code = compile(data, shown, 'exec', dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError) as error:
        print(f'{shown}: not compiled: {error}', file=sys.stderr)
        return
    digest = _imp.source_hash(external._RAW_MAGIC_NUMBER, data)
    os.makedirs(os.path.dirname(result), exist_ok=True)
    with open(result, 'xb') as f:
        f.write(external._code_to_hash_pyc(code, digest, False))


def compile_all(files):
    for file in files:
        try:
            compile_one(**file)
        except BaseException as error:
            print(f'{file["shown"]}: {error!r}', file=sys.stderr)
            return 1
    return 0


def main():
    order = json.load(sys.stdin)
    files = order['files']
    running = 0
    failed = False

    def wait():
        nonlocal running, failed
        _, status = os.wait()
        running -= 1
        failed = failed or status != 0

    gc.disable()  # a share's memory goes with its process
    for start in range(0, len(files), SHARE):
        if running >= order['cores']:
            wait()
        if os.fork() == 0:
            os._exit(compile_all(files[start:start + SHARE]))
        running += 1
    while running:
        wait()
    sys.exit(failed)


main()
