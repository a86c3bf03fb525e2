package hwdetect

import (
	"fmt"

	"github.com/jaypipes/pcidb"
)

// names are what people call PCI devices.
type names struct{ db *pcidb.DB }

// readNames reads a pci.ids. Only the file that is named is looked at: pcidb
// by itself would search the machine.
func readNames(file string) (names, error) {
	if file == "" {
		return names{}, nil
	}
	db, err := pcidb.New(pcidb.WithPath(file))
	if err != nil {
		return names{}, fmt.Errorf("read names of PCI devices from %q: %w", file, err)
	}
	return names{db}, nil
}

func (n names) pci(id ID) (vendor, device Known[string]) {
	if n.db == nil {
		return vendor, device
	}
	v, ok := n.db.Vendors[fmt.Sprintf("%04x", id.Vendor)]
	if !ok {
		return vendor, device
	}
	vendor = some(clean(v.Name))
	if p, ok := n.db.Products[fmt.Sprintf("%04x%04x", id.Vendor, id.Product)]; ok {
		device = some(clean(p.Name))
	}
	return vendor, device
}
