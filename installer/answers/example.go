package answers

// Example is a file of answers with all that can be said in it.
const Example = `// Answers for the installer: nobody has to press a key. Put this file as
// reprise.answers.json on the stick, or on any stick with the label
// REPRISEDATA; or name its address on the kernel line: reprise.answers=URL,
// by https, or with reprise.answers.sha256=. {mac} in it is the address of the
// network card, as 52-54-00-12-34-56.
//
//   reprise answers check reprise.answers.json
//
// It is JSON; comments and a comma after the last item are fine.
{
  "version": 1,

  // Which system of the medium: see reprise answers check --medium.
  "profile": "live-rig",

  // The disk to install to, by its serial number: it is printed on the disk,
  // and reprise install --list shows it. A list means the one of these that the
  // machine has. "only" is the disk of a machine that has one besides the stick.
  "disk": "S4EWNX0R123456",

  // The same again: EVERYTHING ON THIS DISK WILL BE LOST. With "disk": "only"
  // it may be "only".
  "erase": "S4EWNX0R123456",

  // Agree to erase a member of a RAID, LVM or ZFS that is not in use.
  "eraseMember": false,

  // Agree to erase a machine that was installed before by other answers than
  // these. One that was by these very answers is left alone, so that a stick may
  // stay where it is.
  "again": false,

  // "ext4", or "btrfs".
  "fileSystem": "ext4",

  // "none", or "luks2". The passphrase is the one line of a file beside this
  // one; the file is yours to destroy.
  "encryption": "none",
  // "passphraseFile": "passphrase.txt",

  // The name of the machine. For many machines a pattern: rig-%02d counts them
  // in the order of "machines"; {mac}, {serial} and {disk} are the last six
  // digits of the first MAC address, and serial numbers of machine and disk.
  "host": "rig-%02d",
  "machines": ["52:54:00:12:34:56", "52:54:00:12:34:57"],

  // Who logs in; without it the users of the profile do. The password is never
  // here, only its hash: mkpasswd --method=yescrypt prints one.
  "user": {
    "name": "rig",
    "fullName": "Live rig",
    // "passwordHash": "$y$j9T$…",
    "keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJF1FJhDLEbA7oyMj9Ff4uVuT4gTWdFGJ4lzWzB8AWFX you@studio"],
  },

  // As the profile says, unless it is said here.
  "timeZone": "Europe/Berlin",
  "locale": "de_DE.UTF-8",
  "keyMap": "de-latin1",

  // A fixed address. Without it the profile decides, which means DHCP.
  "network": {
    "interface": "enp3s0",
    "address": "192.168.7.2/24",
    "gateway": "192.168.7.1",
    "nameServers": ["192.168.7.1"],
  },

  // Measure for 30 seconds how late the machine wakes a real-time thread up, and
  // write that into the configuration as a comment. A number is for how many
  // seconds.
  "measure": false,

  // What to do at the end: "reboot", "poweroff" or "stay".
  "then": "reboot",
}
`
