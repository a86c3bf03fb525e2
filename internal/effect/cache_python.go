package effect

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"reprise/internal/config"
	"reprise/internal/layer"
)

// bytecodeScript compiles the files that its standard input lists.
//
//go:embed bytecode.py
var bytecodeScript string

var pythonMinimal = regexp.MustCompile(`^python(3\.[0-9]+)-minimal$`)

// PythonBytecode compiles what each Python of the machine can import, and the
// private directories that packages ask py3compile for in their postinst. The
// root file system is read-only, so what is not compiled here is compiled at
// every start.
//
// Files are marked as unchecked: their sources never change beneath them, and
// all times are the same anyway. Their recorded paths are those of the running
// machine. The script shares the files out to processes in a way that does not
// depend on the number of processors, because what a process did before could
// show in the bytes.
func PythonBytecode() Effect {
	return Effect{
		Name:   "python-bytecode",
		Needed: func(_ *config.Config, c *Contents) bool { return len(pythonVersions(c)) > 0 },
		Reads: func(_ *config.Config, c *Contents) []string {
			return c.names(func(p *Content) bool {
				dirs := pythonDirs(p, pythonVersions(c))
				return slices.ContainsFunc(p.Manifest, func(e layer.Entry) bool { return pythonSource(&e, dirs) })
			})
		},
		Tools: func(c *Contents) []string {
			var tools []string
			for _, version := range pythonVersions(c) {
				tools = append(tools, "python"+version+"-minimal")
			}
			return tools
		},
		Build: compilePython,
	}
}

// pythonVersions lists the versions of Python among the contents.
func pythonVersions(c *Contents) []string {
	var versions []string
	for i := range c.Packages {
		if m := pythonMinimal.FindStringSubmatch(c.Packages[i].Name); m != nil {
			versions = append(versions, m[1])
		}
	}
	return versions
}

// pythonDirs lists the directories of p that hold modules to compile.
func pythonDirs(p *Content, versions []string) []string {
	dirs := []string{"usr/lib/python3", "usr/share/python3"}
	for _, version := range versions {
		dirs = append(dirs, "usr/lib/python"+version)
	}
	// dh_python3 writes: py3compile -p package /usr/share/package -V 3.13-
	for line := range strings.Lines(string(p.Control["postinst"])) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "py3compile" {
			continue
		}
		for _, field := range fields[1:] {
			if dir, ok := strings.CutPrefix(path.Clean(field), "/usr/"); ok {
				dirs = append(dirs, "usr/"+dir)
			}
		}
	}
	return dirs
}

func pythonSource(e *layer.Entry, dirs []string) bool {
	return e.Kind != layer.Dir && strings.HasSuffix(e.Path, ".py") &&
		slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(e.Path, dir+"/") })
}

// pythonFile returns where the text of a module is while bytecode is made.
// A link is followed one step (sitecustomize.py leads to /etc): "" when it
// leads nowhere.
func pythonFile(c *Contents, p *Content, e *layer.Entry) string {
	if e.Kind != layer.Symlink {
		return string(p.Path) + "/" + e.Path
	}
	target := e.Target
	if !path.IsAbs(target) {
		target = path.Join("/", path.Dir(e.Path), target)
	}
	target = path.Clean(target)[1:]
	owner := c.Owner(target)
	if owner == nil {
		return ""
	}
	if found := owner.Entry(target); found.Kind != layer.File && found.Kind != layer.Hard {
		return ""
	}
	return string(owner.Path) + "/" + target
}

func compilePython(ctx context.Context, e *Env) error {
	type file struct {
		Source string `json:"source"` // where Python finds it while it builds
		Result string `json:"result"` // below the bound directory
		Shown  string `json:"shown"`  // where it will be
	}
	const bound = "/compiled"
	compiled, err := e.mkdir("compiled")
	if err != nil {
		return err
	}
	versions := pythonVersions(e.Tools)
	for _, version := range versions {
		var files []file
		tag := ".cpython-" + strings.ReplaceAll(version, ".", "") + ".pyc"
		for i := range e.Packages.Packages {
			p := &e.Packages.Packages[i]
			dirs := slices.DeleteFunc(pythonDirs(p, versions), func(dir string) bool {
				return strings.HasPrefix(dir, "usr/lib/python3.") && dir != "usr/lib/python"+version
			})
			for j := range p.Manifest {
				entry := &p.Manifest[j]
				if !pythonSource(entry, dirs) {
					continue
				}
				source := pythonFile(e.Packages, p, entry)
				if source == "" {
					continue
				}
				dir, base := path.Split(entry.Path)
				files = append(files, file{
					Source: source,
					Result: bound + "/" + dir + "__pycache__/" + strings.TrimSuffix(base, ".py") + tag,
					Shown:  "/" + entry.Path,
				})
			}
		}
		input, err := json.Marshal(map[string]any{"files": files, "cores": e.Cores})
		if err != nil {
			return err
		}
		root, err := e.Root()
		if err != nil {
			return err
		}
		root.Binds = []Bind{{Source: compiled, Target: bound}}
		err = e.Run.Run(ctx, root, Command{
			Argv:  []string{"/usr/bin/python" + version, "-I", "-S", "-B", "-c", bytecodeScript},
			Stdin: input,
		})
		if err != nil {
			return fmt.Errorf("compile for Python %s: %w", version, err)
		}
	}
	out := e.Output()
	out.tree(filepath.Clean(compiled), ".")
	return out.Close()
}
