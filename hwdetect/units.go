package hwdetect

import "strings"

// A unitRule knows a unit by what its configuration ROM says. A field that is
// nil does not matter.
type unitRule struct {
	vendor, model, specifier, version *Hex
	kind                              UnitKind
	product                           string
}

func h(v Hex) *Hex { return &v }

// unitRules name units that a driver's pattern matches, or nothing matches,
// and that are something else than an audio interface. The first that fits
// counts. Source of the numbers: the configuration ROMs of the units.
var unitRules = []unitRule{
	{specifier: h(0x00609e), version: h(0x010483), kind: UnitDisk, product: ""},    // SBP-2
	{specifier: h(0x00005e), version: h(0x000001), kind: UnitNetwork, product: ""}, // IPv4, RFC 2734
	{specifier: h(0x00005e), version: h(0x000002), kind: UnitNetwork, product: ""}, // IPv6, RFC 3146
	{specifier: h(0x00a02d), version: h(0x000100), kind: UnitVideo, product: ""},   // IIDC 1.04
	{specifier: h(0x00a02d), version: h(0x000101), kind: UnitVideo, product: ""},   // IIDC 1.20
	{specifier: h(0x00a02d), version: h(0x000102), kind: UnitVideo, product: ""},   // IIDC 1.30
	{vendor: h(0x080007), specifier: h(0x000a27), version: h(0x000011), kind: UnitVideo, product: "Apple iSight"},
	{vendor: h(0x080007), specifier: h(0x000a27), version: h(0x000012), kind: UnitVideo, product: "Apple iSight"},
	{vendor: h(0x000c17), specifier: h(0x000a27), kind: UnitVideo, product: ""},                                           // AJA
	{vendor: h(0x00a07e), model: h(0x000001), specifier: h(0x00a02d), version: h(0x014001), kind: UnitVideo, product: ""}, // Avid Adrenaline, Mojo
	{specifier: h(0x0001f2), version: h(0x000021), kind: UnitVideo, product: "MOTU V4HD"},
	{specifier: h(0x0001f2), version: h(0x000022), kind: UnitVideo, product: "MOTU V4HD"},
	{specifier: h(0x0001f2), version: h(0x000023), kind: UnitVideo, product: "MOTU V4HD"},
	{specifier: h(0x0001f2), version: h(0x000024), kind: UnitVideo, product: "MOTU V4HD"},

	{specifier: h(0x00a0de), version: h(0xffffff), kind: UnitNoDriver, product: ""},                      // mLAN: Yamaha 01X, i88X, PreSonus FIRESTATION
	{vendor: h(0x00a0de), specifier: h(0x00a02d), version: h(0x000300), kind: UnitNoDriver, product: ""}, // Yamaha n series, Steinberg MR816
	{vendor: h(0x010065), model: h(0x010067), kind: UnitNoDriver, product: "Tascam IF-FW/DM"},
	{specifier: h(0x00022e), version: h(0x800006), kind: UnitNoDriver, product: "Tascam IF-FW/DM mkII"},
	{specifier: h(0x00022e), version: h(0x800001), kind: UnitControl, product: "Tascam FE-8"},

	{vendor: h(0x000166), model: h(0x000001), specifier: h(0x00a02d), kind: UnitEffect, product: "TC Electronic PowerCore"},
	{vendor: h(0x000166), model: h(0x000002), specifier: h(0x00a02d), kind: UnitEffect, product: "TC Electronic PowerCore Compact"},
	{specifier: h(0x00130e), version: h(0x000200), kind: UnitEffect, product: "Focusrite Liquid Mix"},
	{specifier: h(0x00130e), version: h(0x000700), kind: UnitEffect, product: "Focusrite Liquid Mix 16"},
	{vendor: h(0x0050c2), model: h(0x000070), kind: UnitEffect, product: "Solid State Logic Duende"},
	{vendor: h(0x001c2d), kind: UnitRadio, product: ""}, // FlexRadio

	// Loaders of M-Audio units that wait for their firmware.
	{vendor: h(0x0007f5), model: h(0x010058), kind: UnitBootLoader, product: "M-Audio FireWire 410"},
	{vendor: h(0x000d6c), model: h(0x010070), kind: UnitBootLoader, product: "M-Audio FireWire 1814"},
}

// nameless are units that carry no name: their version is all there is.
var nameless = map[[2]Hex]string{
	{0x0001f2, 0x000001}: "MOTU 828", {0x0001f2, 0x000002}: "MOTU 896", {0x0001f2, 0x000003}: "MOTU 828mk2",
	{0x0001f2, 0x000005}: "MOTU 896HD", {0x0001f2, 0x000009}: "MOTU Traveler", {0x0001f2, 0x00000d}: "MOTU UltraLite",
	{0x0001f2, 0x00000f}: "MOTU 8pre", {0x0001f2, 0x000015}: "MOTU 828mk3", {0x0001f2, 0x000017}: "MOTU 896mk3",
	{0x0001f2, 0x000019}: "MOTU UltraLite mk3", {0x0001f2, 0x00001b}: "MOTU Traveler mk3",
	{0x0001f2, 0x000030}: "MOTU UltraLite mk3 Hybrid", {0x0001f2, 0x000033}: "MOTU Audio Express", {0x0001f2, 0x000035}: "MOTU 828mk3 Hybrid",
	{0x0001f2, 0x000037}: "MOTU 896mk3 Hybrid", {0x0001f2, 0x000039}: "MOTU Track16", {0x0001f2, 0x000045}: "MOTU 4pre",
	{0x000a35, 0x000001}: "RME Fireface 800", {0x000a35, 0x000002}: "RME Fireface 400",
	{0x000a35, 0x000004}: "RME Fireface UCX", {0x000a35, 0x000005}: "RME Fireface 802",
	{0x00022e, 0x800000}: "Tascam FW-1884", {0x00022e, 0x800003}: "Tascam FW-1082", {0x00022e, 0x800004}: "Tascam FW-1804",
}

func (r unitRule) fits(k FireWireKey) bool {
	same := func(want *Hex, have Known[Hex]) bool {
		v, ok := have.Get()
		return want == nil || ok && v == *want
	}
	return same(r.vendor, k.Vendor) && same(r.model, k.Model) && same(r.specifier, k.Specifier) && same(r.version, k.Version)
}

// unitKind says what a unit is for and what people call it.
func unitKind(u FireWireUnit) (UnitKind, Known[string]) {
	k := u.Key
	product := k.ModelName
	if name, ok := nameless[[2]Hex{k.Specifier.Or(0), k.Version.Or(0)}]; ok && !product.Known() {
		product = Is(name)
	}
	if vendor, ok := k.VendorName.Get(); ok && k.ModelName.Known() && !strings.HasPrefix(strings.ToLower(k.ModelName.Or("")), strings.ToLower(vendor)) {
		product = Is(clean(vendor + " " + k.ModelName.Or("")))
	}
	name := strings.ToLower(strings.ReplaceAll(k.ModelName.Or(""), " ", ""))
	if strings.Contains(name, "bootloader") {
		return UnitBootLoader, product
	}
	for _, r := range unitRules {
		if r.fits(k) {
			return r.kind, firstKnown(some(r.product), product)
		}
	}
	sound := func(s string) bool { return strings.HasPrefix(s, "snd_") || strings.HasPrefix(s, "snd-") }
	switch {
	case sound(u.Driver.Or("")):
		return UnitAudio, product
	case len(u.Modules) > 0 && sound(u.Modules[0]):
		return UnitAudio, product
	case nameless[[2]Hex{k.Specifier.Or(0), k.Version.Or(0)}] != "":
		return UnitAudio, product
	}
	return UnitUnknown, product
}
