{
  more: ['Also Bad', 'fine'],
  network(name):: {
    networking+: { domain: name },
  },
}
