package effect

// All returns the effects of this package in the order in which their layers
// are merged. What maintainer scripts do besides and no effect here does is on
// the list of package oracle, with the reason.
func All() []Effect {
	return []Effect{
		KernelModulesIndex(),
		LoaderCache(),
		HardwareDatabase(),
		JournalCatalog(),
		Certificates(),
		PythonBytecode(),
		LocaleArchive(),
		ConsoleKeymap(),
		MIMEDatabase(),
		DesktopDatabase(),
		SettingsSchemas(),
		GIOModules(),
		PixbufLoaders(),
		InputMethods(),
		OldInputMethods(),
		IconCaches(),
		FontCache(),
		XFonts(),
		GhostscriptFonts(),
		InfoDirectory(),
	}
}
