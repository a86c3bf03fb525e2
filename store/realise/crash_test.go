package realise

// victimEnv makes the test binary a process that builds until it is killed.
const victimEnv = "REPRISE_REALISE_VICTIM"

func victim(dir string) {}
