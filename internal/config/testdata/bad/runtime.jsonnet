local half(x) = if x % 2 == 0 then x / 2 else error 'odd: ' + x;
local loop(x) = loop(x + 1) + 1;
{
  networking: { hostName: self.hostname, useDHCP: 'sure' },
  image: { marginMiB: half(33), espGenerations: loop(1) },
  boot: { loader: { timeout: $.boot.loader.timeout } },
  environment: { systemPackages: ['a' + 1, 'jackd2'] + 5 },
  musnix: { enable: function(x) x, enabled: true },
  users: import 'lib/users.libsonnet',
  time: { timeZone: std.asciiUpper(5) },
}
