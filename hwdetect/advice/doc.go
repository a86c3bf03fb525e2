// Package advice turns the Facts of a machine into settings for sound, each
// with its reasons, and writes them as hardware.jsonnet.
//
// Words: a rule looks at Facts and adds to an Advice. A setting is an option
// of package config with a value. An offer is a setting that is explained and
// left to people: it costs safety, or asks for a measurement first. A start
// value is the buffer with which a card is first tried; what it really bears
// is measured. The studio card is the one a musician means.
//
// Invariants:
//   - Advise is a function of its arguments: same facts and wants, same bytes.
//   - Every setting has a reason that names the hardware, and every rule a
//     source. Every option that a rule may set stands in Effects, with the
//     place where it acts.
//   - A risky setting is never chosen: mitigations, SMT and isolated CPUs are
//     offers. Nothing sets CPUs apart on fewer than four physical cores.
//   - What is not known is said, and nothing is set because of it.
//   - Rules look at classes, buses and properties first, and at ids only where
//     one chip differs from all others of its kind.
package advice
