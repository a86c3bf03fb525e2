// Where a value comes from is decided by evaluation.
local lib = import 'reprise/lib.libsonnet';
local stage = ['alsa-utils', 'No Such'];
local pick(big) = if big then { image+: { espGenerations: 1e9 } } else { image+: { espGenerations: 1 } };
local parts = import 'lib/parts.libsonnet';
(import 'reprise/live-rig.jsonnet')
+ { environment+: { systemPackages+: stage + ['ok', 'not ok'] } }
+ { environment+: { systemPackages+: parts.more + ['Bad'] } }
+ pick(true)
+ parts.network('x y')
+ lib.withHostName('a b')
+ { users+: { users+: { [name]+: { uid: 5 } for name in ['rig', 'guest'] } } }
+ { boot+: { kernelParams+: ['threadirq'], ['kernel' + 'Modules']: ['a b'] } }
// mergePatch shows no place: better none than that of what it hides.
+ std.mergePatch({}, { time: { timeZone: 'x' }, i18n: { defaultLocale: 'y' } })
+ { console+: std.mergePatch({}, { keyMap: '/' }) }
+ lib.withPackages(['From Lib'])
+ { i18n+: { supportedLocales: ['z'] } }
