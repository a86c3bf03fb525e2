package hwdetect

// PCIAt returns the PCI function at an address.
func (f *Facts) PCIAt(address string) (PCIDevice, bool) {
	for _, d := range f.PCI {
		if d.Address == address {
			return d, true
		}
	}
	return PCIDevice{}, false
}

// USBAt returns the USB device at a path.
func (f *Facts) USBAt(path string) (USBDevice, bool) {
	for _, d := range f.USB {
		if d.Path == path {
			return d, true
		}
	}
	return USBDevice{}, false
}

// USBController returns the USB controller of that name.
func (f *Facts) USBController(name string) (USBController, bool) {
	for _, c := range f.USBControllers {
		if c.Name == name {
			return c, true
		}
	}
	return USBController{}, false
}

// Unit returns the FireWire unit of that name and the controller it hangs on.
func (f *Facts) Unit(name string) (FireWireUnit, FireWireController, bool) {
	for _, c := range f.FireWire {
		for _, n := range c.Nodes {
			for _, u := range n.Units {
				if u.Name == name {
					return u, c, true
				}
			}
		}
	}
	return FireWireUnit{}, FireWireController{}, false
}

// CardAt returns the card of that number.
func (f *Facts) CardAt(index int) (Card, bool) {
	for _, c := range f.Cards {
		if c.Index == index {
			return c, true
		}
	}
	return Card{}, false
}

// NVIDIA says whether a display adapter or 3D controller of NVIDIA is there.
func (f *Facts) NVIDIA() bool {
	for _, g := range f.GPUs {
		if g.NVIDIA {
			return true
		}
	}
	return false
}
