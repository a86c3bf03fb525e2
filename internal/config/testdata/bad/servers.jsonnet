// PipeWire's JACK and jackd on one machine; WirePlumber's rules come alone.
local both = { services: { jack: { jackd: { enable: true } }, pipewire: { enable: true, jack: { enable: true } } } };
both { users: { users: { rig: { extraGroups: ['audio'] } } } }
