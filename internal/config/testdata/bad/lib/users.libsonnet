{ users: { rig: { uid: 'x' } } }
