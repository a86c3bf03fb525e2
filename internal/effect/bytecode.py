# Compiles Python files. Standard input is {"cores": 2, "files": [{"source":
# path to read, "result": .pyc to write, "shown": path that the bytecode
# names}, ...]}. A file that does not compile is named on standard error and
# left out, as py3compile does: packages ship broken files on purpose, for
# their tests.
import _frozen_importlib_external as external
import _imp
import json
import os
import sys


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


def main():
    order = json.load(sys.stdin)
    running = 0
    failed = False

    def wait():
        nonlocal running, failed
        _, status = os.wait()
        running -= 1
        failed = failed or status != 0

    for file in order['files']:
        if running >= order['cores']:
            wait()
        if os.fork() == 0:
            try:
                compile_one(**file)
            except BaseException as error:
                print(f'{file["shown"]}: {error!r}', file=sys.stderr)
                os._exit(1)
            os._exit(0)
        running += 1
    while running:
        wait()
    sys.exit(failed)


main()
