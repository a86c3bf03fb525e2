package effect

// All returns the effects of this package in the order in which their layers
// are merged.
func All() []Effect {
	return []Effect{
		KernelModulesIndex(),
		HardwareDatabase(),
		JournalCatalog(),
		Certificates(),
		PythonBytecode(),
	}
}
