{ users: { users: { rig: { openssh: { authorizedKeys: { keys: [
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP', 'hello',
  |||
    -----BEGIN OPENSSH PRIVATE KEY-----
    b3BlbnNzaC1rZXktdjEAAAAABG5vbmU
    -----END OPENSSH PRIVATE KEY-----
  |||,
] } } } } } }
