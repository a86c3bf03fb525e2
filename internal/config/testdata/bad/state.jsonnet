// What is state of a machine is no part of its system.
{
  environment: {
    etc: {
      'machine-id': { text: '0123' },
      reprise: { text: 'x' },
      'reprise/configuration.jsonnet': { text: '{}' },
    },
  },
}
