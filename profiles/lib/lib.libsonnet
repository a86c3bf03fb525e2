// The library of reprise: small modules to join with +.
//
//   local rig = import 'reprise/lib.libsonnet';
//   (import 'reprise/live-rig.jsonnet')
//   + rig.withHostName('my-rig')
//   + rig.withPackages(['fluidsynth', 'fluid-soundfont-gm'])
//   + rig.withCard('hw:CARD=USB', rate=48000, period=64)
{
  // withHostName names the machine.
  withHostName(name):: { networking+: { hostName: name } },

  // withPackages adds packages of Debian.
  withPackages(packages):: { environment+: { systemPackages+: packages } },

  // withKey lets the holder of an ssh key log in as a user. key is the line of
  // the .pub file: importstr 'me.pub' reads it.
  withKey(user, key):: {
    users+: { users+: { [user]+: { openssh+: { authorizedKeys+: { keys+: [std.trim(key)] } } } } },
  },

  // withUser adds a person who may play: a user in group audio.
  withUser(name, uid, groups=[]):: {
    users+: { users+: { [name]+: { uid: uid, extraGroups+: ['audio'] + groups } } },
  },

  // withCard runs JACK on an ALSA sound card. aplay -l shows the names; period
  // is in frames, so 64 at a rate of 48000 is 1.3 ms.
  withCard(device, rate=48000, period=128, periods=2, priority=70):: {
    services+: { jack+: { jackd+: {
      enable: true,
      extraOptions: ['-R', '-P' + priority, '-d', 'alsa', '-d', device, '-r', '' + rate, '-p', '' + period, '-n', '' + periods],
    } } },
  },

  // unit writes the text of a systemd unit:
  //
  //   systemd+: { units+: { 'click.service': {
  //     text: rig.unit({ Service: { ExecStart: '/usr/bin/jack_metro -b 120' } }),
  //     wantedBy: ['multi-user.target'],
  //   } } }
  unit(sections):: std.manifestIni({ sections: sections }),

  // all joins a list of modules, the first first.
  all(modules):: std.foldl(function(whole, module) whole + module, modules, {}),
}
